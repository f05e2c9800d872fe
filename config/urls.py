"""All URLs. The routers of the apps are included twice: at /api/ and at the original prefixes.

/api/ comes last, because Django reverses the last matching pattern.
"""

from django.conf import settings
from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from django.views.static import serve
from drf_spectacular.views import SpectacularSwaggerSplitView

from accounts.admin.users import change_own_password
from accounts.urls import router as accounts
from appointments.urls import below_patients as patients_appointments
from appointments.urls import router as appointments
from config.api.routers import RootRouter
from config.api.views import ApiNotFoundView, SchemaView
from config.health import healthz, readyz
from consultations.urls import below_patients as patients_consultations
from consultations.urls import router as consultations
from patients.urls import router as patients

router = RootRouter(
    accounts,
    patients,
    appointments,
    consultations,
    patients_appointments,
    patients_consultations,
)

urlpatterns = [
    path("", router.get_api_root_view(), name="home"),
    path("favicon.ico", RedirectView.as_view(url=static("favicon.svg"))),
    path("healthz", healthz),
    path("readyz", readyz),
    path(
        "admin/password_change/",
        admin.site.admin_view(change_own_password, cacheable=True),
        name="own_password",
    ),
    path("admin/", admin.site.urls),
    re_path(
        r"^media/(?P<path>avatars/[A-Za-z0-9_-]+\.webp)$",
        serve,
        {"document_root": settings.MEDIA_ROOT},
        name="avatar",
    ),
    path("api/patients/api/", include(patients.urls)),
    path("api/patients/api/", include(patients_appointments.urls)),
    path("api/patients/api/", include(patients_consultations.urls)),
    path("api/appointments/api/", include(appointments.urls)),
    path("api/consultations/api/", include(consultations.urls)),
    path("api/", include(router.urls)),
]

if settings.API_DOCS:
    urlpatterns += [
        path("api/schema/", SchemaView.as_view(), name="schema"),
        path(
            "api/docs/",
            SpectacularSwaggerSplitView.as_view(
                url_name="schema", http_method_names=["get", "head"]
            ),
            name="docs",
        ),
    ]

if settings.BROWSABLE_API:
    urlpatterns += [path("api-auth/", include("rest_framework.urls"))]

urlpatterns += [re_path(r"^api(/|$)", ApiNotFoundView.as_view(), name="no-such-path")]

handler400 = "config.http.error_views.bad_request"
handler403 = "config.http.error_views.forbidden"
handler404 = "config.http.error_views.not_found"
handler500 = "config.http.error_views.server_error"
