"""The settings of drf-spectacular, which generates the OpenAPI document."""

SPECTACULAR_SETTINGS = {
    "TITLE": "Medical Platform API",
    "DESCRIPTION": (
        "Runs a clinic: accounts, patients, appointments and consultations. Sign in at "
        "`POST /api/auth/login/` and send `Authorization: Bearer <access>`. Every response has "
        "the envelope `{status, data, message}`; errors have a stable `code`."
    ),
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.0",
    "SERVERS": [{"url": "/", "description": "This clinic."}],
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SCHEMA_PATH_PREFIX": "/api/",
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "PREPROCESSING_HOOKS": ["config.api.schema.canonical_mount_only"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.api.schema_hooks.document_path_ids",
        "config.api.error_schemas.document_errors",
        "config.api.schema_hooks.fix_polymorphic_schemas",
    ],
    "ENUM_NAME_OVERRIDES": {
        "UserTypeEnum": "accounts.roles.UserType",
        "GenderEnum": "accounts.roles.Gender",
        "AppointmentStatusEnum": "appointments.lifecycle.Status",
        "ConsultationStatusEnum": "consultations.choices.ConsultationStatus",
        "SkipReasonEnum": "appointments.slot_services.SKIP_REASONS",
        "MoveEnum": "appointments.lifecycle.MOVE_NAMES",
    },
}
