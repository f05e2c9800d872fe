"""`ETag`, `If-Match` and `If-None-Match` of versioned records."""

import re

from django.core.exceptions import ValidationError
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response
from rest_framework.status import HTTP_304_NOT_MODIFIED

from config.db.versioning import VersionedModel, check_version
from config.errors import rule_error

ENTITY_TAG = r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"'
ENTITY_TAGS = re.compile(rf"{ENTITY_TAG}(?:[ \t]*,[ \t]*{ENTITY_TAG})*")
VERSION = re.compile("[1-9][0-9]{0,9}")


def entity_tag(record):
    """Return the strong ETag of a record or row with a version."""
    return f'"{record.version}"'


class IfMatchMixin:
    """`If-Match` is never passed over: a change starts from a version it names, or is refused.

    `if_match` names the actions that change a record with a version. Each hands `if_version` to its
    service, which decides under the row's lock. At any other action no tag is the right one.
    """

    if_match = frozenset()

    @property
    def if_version(self):
        """The versions this change may start from; None for any."""
        header = self.request.headers.get("If-Match", "*").strip()
        if header == "*" or self.request.method in SAFE_METHODS:
            return None
        if not ENTITY_TAGS.fullmatch(header):
            raise ValidationError({"If-Match": 'Send * or entity tags, as in "7".'})
        tags = re.findall(ENTITY_TAG, header)
        return _versions(tag for weak, tag in tags if not weak)

    def initial(self, request, *args, **kwargs):
        super().initial(request, *args, **kwargs)
        if self.action and not self.detail:
            self._refuse_any_tag()

    def get_object(self):
        record = super().get_object()
        self._refuse_any_tag()
        return record

    def _refuse_any_tag(self):
        if self.action not in self.if_match and self.if_version is not None:
            sentence = "What is asked for here starts from no version; send no If-Match."
            raise rule_error("If-Match", sentence, "stale_version")


def _versions(tags):
    return {int(tag) for tag in tags if VERSION.fullmatch(tag)}


class VersionedMixin(IfMatchMixin):
    """A record's version is its ETag; a change with If-Match wants to start from that version.

    `if_none_match` names the actions that show a record of which nothing changes without its
    version: 304 for who has it already.
    """

    if_none_match = frozenset()
    unchanged = None  # the record, where its reader has this version of it

    def get_object(self):
        """Refused here too, before a body made from the old record is blamed for what it says."""
        record = super().get_object()
        check_version(record, self.if_version)
        return record

    def finalize_response(self, request, response, *args, **kwargs):
        response = super().finalize_response(request, response, *args, **kwargs)
        answered = getattr(getattr(response, "data", None), "serializer", None)
        record = self.unchanged or getattr(answered, "instance", None)
        if isinstance(record, VersionedModel):
            response["ETag"] = entity_tag(record)
        return response

    def answer(self, record, serializer_of):
        """The record; 304 where `If-None-Match` has its version, before anything is made of it."""
        if record.version in self._versions_at_hand():
            self.unchanged = record
            return Response(status=HTTP_304_NOT_MODIFIED)
        return Response(serializer_of(record).data)

    def _versions_at_hand(self):
        asks = self.action in self.if_none_match
        if not (asks and self.request._request.method in SAFE_METHODS):  # a POST answered again
            return set()
        tags = re.findall(ENTITY_TAG, self.request.headers.get("If-None-Match", ""))
        return _versions(tag for _, tag in tags)

    def records_read(self, response):
        return [self.unchanged] if self.unchanged else super().records_read(response)
