"""Where sight and access meet: every request for a record of the clinic passes here."""

from functools import wraps

from django.db import transaction
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import clone_request

from accounts import idempotency
from config.api.fields import StrictPrimaryKeyField
from config.api.viewsets import ApiViewSet


class ScopedViewSet(ApiViewSet):
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


def idempotent(action):
    """An action that makes or moves one record, once for each Idempotency-Key of its caller.

    The same request again is answered with the record as it is now, as far as the caller now sees
    it, with the first answer's status and `Idempotency-Replayed: true`.
    """

    @wraps(action)
    def once(view, request, *args, **kwargs):
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return action(view, request, *args, **kwargs)
        with transaction.atomic():
            mark = idempotency.fingerprint(request.method, request.path, request.data)
            row, is_new = idempotency.claim(user=request.user, key=key, fingerprint=mark)
            if is_new:
                response = action(view, request, *args, **kwargs)
                idempotency.keep(row, record=response.data["id"], status_code=response.status_code)
                return response
        return _replay(view, row)

    once.takes_idempotency_key = True  # config.api.schema documents the header
    return once


def _replay(view, row):
    asked, view.action = view.action, "retrieve"
    view.serializer_class = type(view).serializer_class
    view.request, view.kwargs = clone_request(view.request, "GET"), view.kwargs | {"pk": row.record}
    response = view.retrieve(view.request)
    view.action, response.status_code = asked, row.status_code
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
