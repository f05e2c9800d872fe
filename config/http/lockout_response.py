"""The status of a sign-in page that refuses a locked account."""

from http import HTTPStatus

from django.forms import BaseForm


class LockoutResponseMiddleware:
    """Answers 429 if the form of a page reports `throttled`.

    The sign-in pages of the admin and of the browsable API report a locked account in their form.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_template_response(self, request, response):
        page = response.context_data or {}
        form = getattr(page.get("adminform"), "form", page.get("form"))
        for error in _form_errors(form):
            if error.code == "throttled":
                response.status_code = HTTPStatus.TOO_MANY_REQUESTS
                response["Retry-After"] = str(error.params["wait"])
        return response


def _form_errors(form):
    """Return the errors of a bound form, for all fields."""
    if not isinstance(form, BaseForm) or not form.is_bound:
        return []
    return [error for errors in form.errors.as_data().values() for error in errors]
