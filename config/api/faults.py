"""An outage where DRF does not look: a database that fails, a disk without room."""

from config.api.exceptions import unavailable
from config.api.outages import is_outage


class DatabaseFaultMiddleware:
    """503 for what fails in a plain view (the admin) or while an answer is rendered.

    With DEBUG too. What fails in the middleware itself comes to `handler500`, which answers alike.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_exception(self, request, error):
        return unavailable(request, error) if is_outage(error) else None
