"""What every viewset of the API has in common, whatever it serves."""

from rest_framework.settings import api_settings
from rest_framework.viewsets import GenericViewSet

from config.api.filters import refuse_unknown_parameters


class ApiViewSet(GenericViewSet):
    """One row of tables says what a viewset does; see the class attributes.

    `access`      action → the roles that may (accounts.permissions.RoleAccess reads it)
    `messages`    action → the envelope's sentence
    `parameters`  action → query parameters it knows, beside those of the filters
    `examples`    action → an example body and answer for the documentation
    """

    lookup_value_regex = "[0-9]+"
    access = {}
    messages = {}
    parameters = {}

    def initial(self, request, *args, **kwargs):
        super().initial(request, *args, **kwargs)
        if request.query_params and self.action not in (None, "metadata"):
            refuse_unknown_parameters(request, self.known_parameters())

    def known_parameters(self):
        known = {api_settings.URL_FORMAT_OVERRIDE, *self.parameters.get(self.action, ())}
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
        """The request's body, valid."""
        form = self.get_serializer(data=self.request.data)
        form.is_valid(raise_exception=True)
        return form

    def throttle_as_login(self, request):
        """Throttle a body that carries the password as a sign-in: it could be guessing."""
        if "current_password" in request.data:
            self.throttle_scope = "login"
            self.check_throttles(request)

    def is_list_action(self):
        return self.action == "list"
