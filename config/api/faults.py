"""A database that fails where DRF does not look."""

from config.api.exceptions import DATABASE_FAULTS, unavailable


class DatabaseFaultMiddleware:
    """503 where the database fails in a plain view (the admin) or while an answer is rendered.

    With DEBUG too. What fails in the middleware itself comes to `handler500`, which answers alike.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_exception(self, request, error):
        return unavailable(request, error) if isinstance(error, DATABASE_FAULTS) else None
