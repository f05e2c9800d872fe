"""Where sight and access meet: every request for a record of the clinic passes here."""

from rest_framework.permissions import SAFE_METHODS

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
