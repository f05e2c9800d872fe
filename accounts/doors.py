"""Where sight and access meet: every request for a record of the clinic passes here."""

import re
from contextlib import nullcontext
from functools import wraps

from django.core.exceptions import ValidationError
from django.db.models import Model
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import clone_request
from rest_framework.response import Response
from rest_framework.status import HTTP_304_NOT_MODIFIED, is_success

from accounts import audit, idempotency, lockout
from accounts.trail import REFUSALS
from accounts.versions import Versioned, check_version
from config.api.addresses import address_of
from config.api.fields import StrictPrimaryKeyField
from config.api.refusals import refused
from config.api.transactions import atomic
from config.api.viewsets import ApiViewSet

ENTITY_TAG = r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"'
ENTITY_TAGS = re.compile(rf"{ENTITY_TAG}(?:[ \t]*,[ \t]*{ENTITY_TAG})*")
VERSION = re.compile("[1-9][0-9]{0,9}")


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
            raise refused("If-Match", sentence, "stale_version")


def _versions(tags):
    return {int(tag) for tag in tags if VERSION.fullmatch(tag)}


class AuditedMixin:
    """Says what its doors have shown of patients, and whom they have turned away."""

    def finalize_response(self, request, response, *args, **kwargs):
        response = super().finalize_response(request, response, *args, **kwargs)
        event = f"{self.basename}.{self.action or 'other'}"
        if response.status_code in REFUSALS:
            audit.refused(event)
        elif _has_shown(response) and self.action != "metadata" and self.is_clinical():
            audit.shown(event, self.records_shown(response))
        return response

    def records_shown(self, response):
        """What the answer was made of, or, where it says nothing of its own, what it was about."""
        return records_in(response.data)

    def is_clinical(self):
        """Whether the records behind these doors are about patients."""
        return getattr(self.queryset.model, "subject_id", None) is not None


def _has_shown(response):
    return is_success(response.status_code) or response.status_code == HTTP_304_NOT_MODIFIED


def records_in(data):
    """The rows of models that an answer was made of."""
    rows = data["results"] if isinstance(data, dict) and "results" in data else data
    shown = getattr(getattr(rows, "serializer", None), "instance", None)
    records = [shown] if isinstance(shown, Model) else shown
    return records if isinstance(records, list) else []


class ScopedViewSet(IfMatchMixin, AuditedMixin, ApiViewSet):
    """A viewset whose every list and every lookup starts from what the caller may see.

    For an unsafe method, from what the caller may write. Whatever is out of sight is 404, never
    403: a refusal would confirm that it exists.
    """

    def get_queryset(self):
        rows = super().get_queryset()
        user = self.request.user
        if self.request.method in SAFE_METHODS:
            return rows.visible_to(user)
        return rows.writable_by(user)

    def made(self, answer):
        """What a key of `idempotent` keeps of its first answer: ids, never a word of a record."""
        return answer["id"]

    def show_again(self, made):
        """The answer of `made`, as the caller sees the records now; asked by GET."""
        asked, self.action = self.action, "retrieve"
        self.serializer_class = type(self).serializer_class
        self.kwargs |= {"pk": made}
        response = self.retrieve(self.request)
        self.action = asked
        return response


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
        if isinstance(record, Versioned):
            response["ETag"] = f'"{record.version}"'
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

    def records_shown(self, response):
        return [self.unchanged] if self.unchanged else super().records_shown(response)


def proving(request, field):
    """Count what is done within as a guess, where the body's `field` is the caller's password."""
    if field not in request.data:
        return nullcontext()
    caller = request.user
    return lockout.proving(
        lockout.Guess(caller.username, caller.pk, address_of(request)), wrong=field
    )


def idempotent(action):
    """An action that makes or moves records, once for each Idempotency-Key of its caller.

    The same request again is answered with the records as they are now, as far as the caller now
    sees them, with the first answer's status and `Idempotency-Replayed: true`.
    """

    @wraps(action)
    def once(view, request, *args, **kwargs):
        if "Idempotency-Key" not in request.headers:
            return action(view, request, *args, **kwargs)
        row, response = first_time(view, request, *args, **kwargs)
        return response or _replay(view, row)

    @atomic
    def first_time(view, request, *args, **kwargs):
        """(the key's row, the answer); no answer where the key came before."""
        key = request.headers["Idempotency-Key"]
        mark = idempotency.fingerprint(request.method, request.path, request.data)
        row, is_new = idempotency.claim(user=request.user, key=key, fingerprint=mark)
        if not is_new:
            return row, None
        response = action(view, request, *args, **kwargs)
        made = view.made(response.data)
        idempotency.keep(row, made=made, status_code=response.status_code)
        return row, response

    once.takes_idempotency_key = True  # config.api.schema documents the header
    return once


def _replay(view, row):
    view.request = clone_request(view.request, "GET")
    response = view.show_again(row.made)
    response.status_code = row.status_code
    response["Idempotency-Replayed"] = "true"
    return response


class VisibleRelatedField(StrictPrimaryKeyField):
    """A record named in a body, as far as the caller sees it; otherwise it "does not exist".

    `scope="writable_by"` narrows it to what the caller may act for.
    """

    def __init__(self, scope="visible_to", **kwargs):
        self.scope = scope
        super().__init__(**kwargs)

    def get_queryset(self):
        rows = super().get_queryset()
        return getattr(rows, self.scope)(self.context["request"].user)
