"""What Django does for browsers, whose sign-in is a cookie, and not for who sends a token instead.

Each of these reads what a cookie stands for, and has nothing to do for a request to the API that
has none. Sessions and what guards forms (CSRF) look at every request, as ever: `check --deploy`
knows them by name.
"""

from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages

from config.api.handlers import is_to_api


class ForBrowsers:
    """Put before a middleware of Django's."""

    def __call__(self, request):
        if comes_with_token_alone(request):
            return self.get_response(request)
        return super().__call__(request)


def comes_with_token_alone(request):
    sent = request.META
    return is_to_api(request) and "HTTP_AUTHORIZATION" in sent and not sent.get("HTTP_COOKIE")


class AuthenticationMiddleware(ForBrowsers, auth.AuthenticationMiddleware):
    pass


class MessageMiddleware(ForBrowsers, messages.MessageMiddleware):
    pass
