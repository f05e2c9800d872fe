"""Sets the security headers that Django's SecurityMiddleware does not set.

A response of the API may load nothing. A page (the admin, the documentation, the browsable API) may
load files of this server and may not run inline scripts.
"""

from http import HTTPStatus

NOTHING = "default-src 'none'; frame-ancestors 'none'"
SOURCES = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",  # charts and Swagger UI set inline styles
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
ADMIN_SOURCES = SOURCES | {
    "script-src": "'self' 'unsafe-eval'"
}  # Alpine.js, which django-unfold uses
PAGE, ADMIN_PAGE = (
    "; ".join(f"{directive} {sources}" for directive, sources in policy.items())
    for policy in (SOURCES, ADMIN_SOURCES)
)
PERMISSIONS = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"

# The browser forgets what this server's pages have stored. Cookies are left: the directive would
# delete those of the whole domain, and the session has ended anyway.
SIGN_OUTS = {
    "/admin/logout/",
    "/api-auth/logout/",
    "/api/auth/logout/",
    "/api/auth/sessions/end_all/",
}
CLEAR_SITE_DATA = '"cache", "storage"'

FILES = ("/static/", "/media/")  # their Cache-Control stays


class SecurityHeadersMiddleware:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        response["Content-Security-Policy"] = _policy(request, response)
        response["Permissions-Policy"] = PERMISSIONS
        if not request.path_info.startswith(FILES):
            response["Cache-Control"] = "no-store"
        if request.path_info in SIGN_OUTS and response.status_code < HTTPStatus.BAD_REQUEST:
            response["Clear-Site-Data"] = CLEAR_SITE_DATA
        return response


def _policy(request, response):
    if not response.get("Content-Type", "").startswith("text/html"):
        return NOTHING
    return ADMIN_PAGE if request.path_info.startswith("/admin/") else PAGE
