from rest_framework.metadata import SimpleMetadata


class ActionMetadata(SimpleMetadata):
    """Describes in OPTIONS the body of each method with the serializer of its action."""

    def determine_actions(self, request, view):
        actions = {}
        action = view.action
        for method in ("POST", "PUT"):
            if view.action_map.get(method.lower()):
                view.action = view.action_map[method.lower()]
                described = super().determine_actions(request, view)
                actions |= {name: body for name, body in described.items() if name == method}
        view.action = action
        return actions
