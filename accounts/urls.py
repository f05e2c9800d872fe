from rest_framework.routers import SimpleRouter

from accounts.viewsets import AuthViewSet, SessionViewSet

router = SimpleRouter()
router.register("auth", AuthViewSet, basename="auth")
router.register("auth/sessions", SessionViewSet, basename="session")
