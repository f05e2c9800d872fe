"""The base viewset of clinical records: visibility, ETags, audit and idempotency."""

from functools import wraps

from rest_framework.generics import get_object_or_404
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request, clone_request

from accounts import idempotency
from accounts.audit.log import RecordReference
from accounts.audit.mixins import AuditedMixin
from accounts.models import User
from config.api.etags import IfMatchMixin
from config.api.viewsets import ApiViewSet
from config.db.transactions import atomic_with_retry


class SignedInRequest(Request):
    """The request of an action that `access` gives to roles: its user is a row."""

    user: User


class ScopedViewSet(IfMatchMixin, AuditedMixin, ApiViewSet):
    """A viewset that finds only the rows the caller may read or, for unsafe methods, write.

    Any other row is answered with 404, never 403, which would confirm that the row exists.
    """

    request: SignedInRequest
    rows: list | None = None  # of a prepared query, as named tuples

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
        name = self.queryset.model._meta.model_name  # type: ignore[arg-type]  # DRF's stub
        return RecordReference(f"{name}/{row[0]}", row.patient_id)

    def replay_key(self, data):
        """Return the part of a response's data that is stored for a replay: ids only."""
        return data["id"]

    def replay_response(self, made):
        """Return the response for the stored ids, as the caller sees the records now.

        `self.request` has the method GET.
        """
        action, self.action = self.action, "retrieve"
        self.serializer_class = type(self).serializer_class
        self.kwargs |= {"pk": made}
        response = self.retrieve(self.request)
        self.action = action
        return response


class NestedListMixin:
    """Lists the rows below a parent record.

    An empty list is a 404 where the caller does not see the parent.
    """

    def list(self, request, *args, **kwargs):
        response = super().list(request, *args, **kwargs)
        self.parent = None if response.data["results"] else get_object_or_404(self.parents())
        return response

    def records_read(self, response):
        return super().records_read(response) or [self.parent]


def idempotent(action):
    """Decorate an action so that each Idempotency-Key of a user executes it once.

    A repeated request returns the records as the caller sees them now, with the status of the first
    response and `Idempotency-Replayed: true`.
    """

    @wraps(action)
    def once(view, request, *args, **kwargs):
        if "Idempotency-Key" not in request.headers:
            return action(view, request, *args, **kwargs)
        row, response = run_once(view, request, *args, **kwargs)
        return response or _replay(view, row)

    @atomic_with_retry
    def run_once(view, request, *args, **kwargs):
        """Return (row of the key, response); the response is None if the key was used before."""
        key = request.headers["Idempotency-Key"]
        fingerprint = idempotency.fingerprint(request.method, request.path, request.data)
        row, is_new = idempotency.claim(user=request.user, key=key, fingerprint=fingerprint)
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
