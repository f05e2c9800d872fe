"""`ETag`, `If-Match` and `If-None-Match` of versioned records."""

import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response
from rest_framework.status import HTTP_304_NOT_MODIFIED

from config.db.versioning import VersionedModel, check_version
from config.errors import rule_error

# A proxy that compresses makes a tag weak; a weak tag counts as its strong twin.
ENTITY_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
ENTITY_TAGS = re.compile(rf"{ENTITY_TAG.pattern}(?:[ \t]*,[ \t]*{ENTITY_TAG.pattern})*")
VERSION = re.compile("[1-9][0-9]{0,9}")


def entity_tag(record):
    """Return the strong ETag of a record or row with a version."""
    return f'"{record.version}"'


class IfMatchMixin:
    """Checks `If-Match` for all actions.

    `if_match` names the actions that change a versioned record. Each passes `if_version` to its
    service, which compares the version after locking the row. All other actions refuse a tag.
    """

    if_match = frozenset()

    @property
    def if_version(self):
        """The set of versions in If-Match; None if any version is allowed."""
        header = self.request.headers.get("If-Match", "*").strip()
        if header == "*" or self.request.method in SAFE_METHODS:
            return None
        if not ENTITY_TAGS.fullmatch(header):
            raise ValidationError({"If-Match": _('Send * or entity tags such as "7".')})
        tags = ENTITY_TAG.findall(header)
        return _versions(tags)

    def initial(self, request, *args, **kwargs):
        super().initial(request, *args, **kwargs)
        if self.action and not self.detail:
            self._refuse_if_match()

    def get_object(self):
        record = super().get_object()
        self._refuse_if_match()
        return record

    def _refuse_if_match(self):
        if self.action not in self.if_match and self.if_version is not None:
            sentence = _("This request does not change a version of a record. Send no If-Match.")
            raise rule_error("If-Match", sentence, "stale_version")


def _versions(tags):
    return {int(tag) for tag in tags if VERSION.fullmatch(tag)}


class VersionedMixin(IfMatchMixin):
    """Sends a record's version as its ETag and compares it with If-Match.

    `if_none_match` names the actions that may answer 304. The version must cover everything that
    such an action returns.
    """

    if_none_match = frozenset()
    unchanged = None  # the record, if the response is 304

    def get_object(self):
        """Check the version before the body, which may be invalid only because it is outdated."""
        record = super().get_object()
        check_version(record, self.if_version)
        return record

    def finalize_response(self, request, response, *args, **kwargs):
        response = super().finalize_response(request, response, *args, **kwargs)
        serializer = getattr(getattr(response, "data", None), "serializer", None)
        record = self.unchanged or getattr(serializer, "instance", None)
        if isinstance(record, VersionedModel):
            response["ETag"] = entity_tag(record)
        return response

    def answer(self, record, serializer_of):
        """Return the serialized record, or 304 if `If-None-Match` contains its version."""
        if record.version in self._client_versions():
            self.unchanged = record
            return Response(status=HTTP_304_NOT_MODIFIED)
        return Response(serializer_of(record).data)

    def _client_versions(self):
        allows_304 = self.action in self.if_none_match
        # The replay of a POST has Django's original method.
        if not (allows_304 and self.request._request.method in SAFE_METHODS):
            return set()
        return _versions(ENTITY_TAG.findall(self.request.headers.get("If-None-Match", "")))

    def records_read(self, response):
        return [self.unchanged] if self.unchanged else super().records_read(response)
