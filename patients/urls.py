from rest_framework.routers import SimpleRouter

from config.clinical_records import register_routes

router = SimpleRouter()
register_routes(router, "patients")
