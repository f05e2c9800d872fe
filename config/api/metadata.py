from rest_framework.metadata import SimpleMetadata


class ActionMetadata(SimpleMetadata):
    """OPTIONS describes each method's own body, as that method's action would read it."""

    def determine_actions(self, request, view):
        actions = {}
        asked = view.action
        for method in ("POST", "PUT"):
            if view.action_map.get(method.lower()):
                view.action = view.action_map[method.lower()]
                described = super().determine_actions(request, view)
                actions |= {name: body for name, body in described.items() if name == method}
        view.action = asked
        return actions
