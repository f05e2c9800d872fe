"""The base viewset of clinical records: visibility, ETags, audit and idempotency."""

from functools import wraps

from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import clone_request

from accounts import idempotency
from accounts.audit.log import RecordReference
from accounts.audit.mixins import AuditedMixin
from config.api.etags import IfMatchMixin
from config.api.viewsets import ApiViewSet
from config.db.transactions import atomic_with_retry


class ScopedViewSet(IfMatchMixin, AuditedMixin, ApiViewSet):
    """A viewset whose every list and every lookup starts from what the caller may see.

    For an unsafe method, from what the caller may write. Whatever is out of sight is 404, never
    403: a refusal would confirm that it exists.
    """

    rows = None  # of a prepared query, as named tuples

    def get_queryset(self):
        rows = super().get_queryset()
        user = self.request.user
        if self.request.method in SAFE_METHODS:
            return rows.visible_to(user)
        return rows.writable_by(user)

    def records_read(self, response):
        """Return the records of the answer; rows of a prepared query are named by reference."""
        if self.rows is None:
            return super().records_read(response)
        return [self.row_reference(row) for row in self.rows]

    def row_reference(self, row):
        return RecordReference(f"{self.queryset.model._meta.model_name}/{row[0]}", row.patient_id)

    def replay_key(self, answer):
        """What a key of `idempotent` keeps of its first answer: ids, never a word of a record."""
        return answer["id"]

    def replay_response(self, made):
        """The answer of `made`, as the caller sees the records now; asked by GET."""
        asked, self.action = self.action, "retrieve"
        self.serializer_class = type(self).serializer_class
        self.kwargs |= {"pk": made}
        response = self.retrieve(self.request)
        self.action = asked
        return response


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

    @atomic_with_retry
    def first_time(view, request, *args, **kwargs):
        """(the key's row, the answer); no answer where the key came before."""
        key = request.headers["Idempotency-Key"]
        mark = idempotency.fingerprint(request.method, request.path, request.data)
        row, is_new = idempotency.claim(user=request.user, key=key, fingerprint=mark)
        if not is_new:
            return row, None
        response = action(view, request, *args, **kwargs)
        made = view.replay_key(response.data)
        idempotency.store_result(row, made=made, status_code=response.status_code)
        return row, response

    once.takes_idempotency_key = True  # config.api.schema documents the header
    return once


def _replay(view, row):
    view.request = clone_request(view.request, "GET")
    response = view.replay_response(row.made)
    response.status_code = row.status_code
    response["Idempotency-Replayed"] = "true"
    return response
