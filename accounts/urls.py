from rest_framework.routers import SimpleRouter

from accounts.viewsets import AuthViewSet

router = SimpleRouter()
router.register("auth", AuthViewSet, basename="auth")
