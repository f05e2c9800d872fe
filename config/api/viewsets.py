"""The base class of all viewsets."""

from django.utils.functional import Promise
from rest_framework.settings import api_settings
from rest_framework.viewsets import GenericViewSet

from config.api import narrowed_fields
from config.api.documentation import Resource
from config.api.filters import refuse_unknown_parameters


class ApiViewSet(GenericViewSet):
    """A viewset that is described by tables.

    `access`         action → the roles that may call it (see accounts.permissions.RoleAccess)
    `messages`       action → the message in the envelope
    `message`        the message of this response, in place of that of the table
    `parameters`     action → its query parameters, besides those of the filters
    `documentation`  the texts of the OpenAPI document (a config.api.documentation.Resource)
    """

    lookup_value_regex = "[0-9]+"
    throttle_scope: str | None
    access = {}
    messages = {}
    message: str | Promise | None = None
    parameters = {}
    documentation: Resource
    only_fields = None  # the fields of `?fields=`, if the request has it

    def initial(self, request, *args, **kwargs):
        super().initial(request, *args, **kwargs)
        if request.query_params and self.action not in (None, "metadata"):
            refuse_unknown_parameters(request, self.known_parameters())
            if narrowed_fields.PARAMETER in request.query_params:
                self.only_fields = narrowed_fields.requested(request, self.get_serializer())

    def takes_fields(self):
        """Return whether the action shows records that `?fields=` can narrow."""
        return self.request.method == "GET" and (self.is_list_action() or self.action == "retrieve")

    def known_parameters(self):
        known = {api_settings.URL_FORMAT_OVERRIDE, *self.parameters.get(self.action, ())}
        if self.takes_fields():
            known.add(narrowed_fields.PARAMETER)
        if not self.is_list_action():
            return known
        if self.paginator:
            known |= self.paginator.parameters
        if self.filter_backends:
            if getattr(self, "search_fields", None):
                known.add("search")
            if getattr(self, "ordering_fields", None):
                known.add("ordering")
            if filterset := getattr(self, "filterset_class", None):
                known |= set(filterset.base_filters)
        return known

    def valid_serializer(self):
        """Return the serializer of the request's body; raises a ValidationError."""
        serializer = self.get_serializer(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return serializer

    def throttle_as_login(self, request):
        """Throttle a request with a password like a sign-in, because it may guess the password."""
        if "current_password" in request.data:
            self.throttle_scope = "login"
            self.check_throttles(request)

    def is_list_action(self):
        return self.action == "list"
