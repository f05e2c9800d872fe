"""The settings. They come from the environment or `.env`; `.env.example` lists all variables.

Only gunicorn.conf.py reads the environment, too (config.environment).
"""

import logging
from datetime import timedelta
from pathlib import Path

import dj_database_url
import dj_email_url
from corsheaders.defaults import default_headers
from decouple import Choices, Csv
from django.utils.translation import gettext_lazy as _

from config.cache_url import parse_cache_url
from config.environment import BASE_DIR, config
from config.openapi import SPECTACULAR_SETTINGS  # noqa: F401
from config.secret_key import load_or_create_key

# --- What kind of installation this is ------------------------------------------------------

DEBUG = config("DEBUG", default=False, cast=bool)

SECRET_KEY = config("SECRET_KEY")
SECRET_KEY_IS_GENERATED = not SECRET_KEY  # config.checks refuses that in production
if SECRET_KEY_IS_GENERATED:
    SECRET_KEY = load_or_create_key(BASE_DIR / ".secret_key")
# Retired keys: they sign nothing, and their signatures are valid until they expire.
SECRET_KEY_FALLBACKS = config("SECRET_KEY_FALLBACKS", default=[], cast=Csv())

ALLOWED_HOSTS = config("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"], cast=Csv())

# Whether a proxy in front terminates TLS: turns on the redirect, HSTS and secure cookies.
HTTPS = config("HTTPS", default=False, cast=bool)
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
if HTTPS:  # browsers accept these names from this host alone, over TLS
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz)$"]  # monitoring inside the network uses no TLS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
CSRF_TRUSTED_ORIGINS = config("CSRF_TRUSTED_ORIGINS", default=[], cast=Csv())
X_FRAME_OPTIONS = "DENY"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"  # messages contain names

# The origins whose pages may call the API. Tokens are sent in a header, so cookies are not allowed.
CORS_ALLOWED_ORIGINS = config(
    "CORS_ALLOWED_ORIGINS",
    default=[
        f"http://{host}:{port}"
        for host in ("localhost", "127.0.0.1")
        for port in (3000, 4200, 5173, 8080)  # React, Angular, Vite, Vue
    ]
    if DEBUG
    else [],
    cast=Csv(),
)
CORS_ALLOW_HEADERS = [
    *default_headers,
    "if-match",
    "if-none-match",
    "idempotency-key",
    "x-request-id",
]
CORS_EXPOSE_HEADERS = [
    "Content-Disposition",
    "ETag",
    "Idempotency-Replayed",
    "Retry-After",
    "X-Request-ID",
]
CORS_URLS_REGEX = r"^/(api|media)/.*$"

# --- Rules of the clinic --------------------------------------------------------------------

# If true, a doctor is not bookable and sees no patients until an admin has verified the licence
# (accounts.models.User.role).
DOCTOR_VERIFICATION_REQUIRED = config("DOCTOR_VERIFICATION_REQUIRED", default=not DEBUG, cast=bool)

# Limits for patients who book, cancel and reschedule online (appointments.booking_rules). 0 means
# no limit. The limits do not apply to staff.
BOOKING_NOTICE_MINUTES = config("BOOKING_NOTICE_MINUTES", default=0, cast=int)
BOOKING_HORIZON_DAYS = config("BOOKING_HORIZON_DAYS", default=0, cast=int)
CANCELLATION_NOTICE_HOURS = config("CANCELLATION_NOTICE_HOURS", default=0, cast=int)
RESCHEDULE_NOTICE_HOURS = config("RESCHEDULE_NOTICE_HOURS", default=0, cast=int)
MAX_COMING_APPOINTMENTS = config("MAX_COMING_APPOINTMENTS", default=0, cast=int)

# Hours within which a visit's last move, and a completed consultation, can be taken back; admins
# always can. 0 means no limit.
REOPEN_HOURS = config("REOPEN_HOURS", default=72, cast=int)

# Limits on what one person can make. 0 means no limit.
# Time slots of a doctor who is not verified yet that have not started, with the withdrawn ones.
MAX_SLOTS_UNVERIFIED = config("MAX_SLOTS_UNVERIFIED", default=200, cast=int)
# Emergency accesses of one doctor within an hour (patients.emergency_access).
EMERGENCY_ACCESS_PER_HOUR = config("EMERGENCY_ACCESS_PER_HOUR", default=10, cast=int)

TIME_ZONE = config("TIME_ZONE", default="UTC")  # the clinic's; appointments.clock reads it
USE_TZ = True

# The language of a response follows the request's Accept-Language; any other language gets English.
USE_I18N = True
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]

# --- Applications ---------------------------------------------------------------------------

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.simple_history",
    "config.admin.apps.ClinicAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.postgres",  # lookups by trigrams
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "corsheaders",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "simple_history",
    "config",
    "accounts",
    "patients",
    "appointments",
    "consultations",
]

MIDDLEWARE = [
    "config.http.request_id.RequestIdMiddleware",
    "config.http.access_log.AccessLogMiddleware",
    "config.http.security_headers.SecurityHeadersMiddleware",
    # Outside all middleware that may answer an error, for the language of the error.
    "django.middleware.locale.LocaleMiddleware",
    "config.http.error_middleware.ErrorEnvelopeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "config.http.error_middleware.ServiceUnavailableMiddleware",
    "config.http.lockout_response.LockoutResponseMiddleware",
    "accounts.audit.middleware.AuditMiddleware",
]

ROOT_URLCONF = "config.urls"
# Only `runserver` uses this setting. gunicorn serves config/wsgi.py, which refuses to start with
# unsafe settings.
WSGI_APPLICATION = "config.wsgi_dev.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "config" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
CSRF_FAILURE_VIEW = "config.http.error_views.csrf_failure"

# --- Database -------------------------------------------------------------------------------

DATABASES = {
    "default": dj_database_url.parse(
        config("DATABASE_URL") or f"sqlite:///{BASE_DIR / 'db.sqlite3'}",
        conn_max_age=None,  # persistent: opening one costs more than most requests
        conn_health_checks=True,
    )
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE: each transaction takes the write lock at its start, in place of row locks. FULL: a
    # committed write survives a power failure.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    # Time limits of statements, locks, idle transactions and connecting. Options of DATABASE_URL
    # take precedence.
    _limits = {
        "statement_timeout": config("STATEMENT_TIMEOUT_MS", default=15_000, cast=int),
        "lock_timeout": config("LOCK_TIMEOUT_MS", default=5_000, cast=int),
        "idle_in_transaction_session_timeout": config(
            "IDLE_TRANSACTION_TIMEOUT_MS", default=30_000, cast=int
        ),
    }
    _url_options = DATABASES["default"].get("OPTIONS", {})
    DATABASES["default"]["OPTIONS"] = {
        "connect_timeout": 5,
        **_url_options,
        "options": " ".join(
            [
                *(f"-c {name}={milliseconds}" for name, milliseconds in _limits.items()),
                "-c jit=off",  # compiling takes longer than the statements
                "-c pg_trgm.word_similarity_threshold=0.5",  # for short names
                _url_options.get("options", ""),
            ]
        ).strip(),
    }
# Whether hot reads on PostgreSQL run SQL that is generated once (config.db.prepared). SQLite always
# runs the querysets.
FAST_READS = config("FAST_READS", default=True, cast=bool)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Audit ----------------------------------------------------------------------------------

# How reads of records are audited: "sync" writes one row per request; "buffered" writes several
# together (the default on SQLite, which has one writer at a time); "off" writes none. Changes are
# always audited.
AUDIT_READS = config(
    "AUDIT_READS",
    default="buffered" if "sqlite3" in DATABASES["default"]["ENGINE"] else "sync",
    cast=Choices(["sync", "buffered", "off"]),
)
# If a read cannot be audited, for example because the disk is full, the event is logged and the
# request answered. If this is true, the response is 503. Only for "sync".
AUDIT_READS_REQUIRED = config("AUDIT_READS_REQUIRED", default=False, cast=bool)
# The HMAC key of the audit's hash chain (accounts.audit.hash_chain). Keep it outside the database
# as long as the audit exists.
AUDIT_KEY = config("AUDIT_KEY", default=SECRET_KEY)
AUDIT_KEY_FALLBACKS = config("AUDIT_KEY_FALLBACKS", default=[], cast=Csv())  # earlier keys
# The file to which the end of the hash chain is appended. It should not be writable for anybody who
# can write to the database.
AUDIT_CHECKPOINTS = config("AUDIT_CHECKPOINTS")
# Older events may be archived. The default is HIPAA's six years (45 CFR 164.316(b)(2)(i)).
AUDIT_RETENTION_DAYS = config("AUDIT_RETENTION_DAYS", default=2192, cast=int)

# --- Cache ----------------------------------------------------------------------------------

# The cache holds the counts of the throttles. If CACHE_URL is blank, each worker counts separately;
# a folder is shared by the workers of one machine, Redis by several machines.
CACHE_URL = config("CACHE_URL")
WORKERS = config("WEB_CONCURRENCY", default=1, cast=int)  # config.checks compares the two
CACHES = {"default": parse_cache_url(CACHE_URL)}

# --- Accounts and sign-in -------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = [
    "accounts.auth.hashers.ClinicArgon2Hasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",  # older hashes, until the next sign-in
]
AUTHENTICATION_BACKENDS = ["accounts.auth.backends.LockoutModelBackend"]
# The number of wrong passwords for one account, or from one address, within LOCKOUT_MINUTES after
# which sign-in is locked for as long (accounts.auth.lockout). 0 means no limit.
LOCKOUT_FAILURES = config("LOCKOUT_FAILURES", default=10, cast=int)
LOCKOUT_FAILURES_PER_ADDRESS = config("LOCKOUT_FAILURES_PER_ADDRESS", default=100, cast=int)
LOCKOUT_MINUTES = config("LOCKOUT_MINUTES", default=15, cast=int)
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "NumericPasswordValidator",
    )
] + [
    {
        "NAME": "django.contrib.auth.password_validation.CommonPasswordValidator",
        # 120,000 passwords from published breaches, in lower case, one a line.
        "OPTIONS": {"password_list_path": BASE_DIR / "accounts/auth/breached_passwords.txt.gz"},
    },
    {
        "NAME": "accounts.auth.password_validation.OwnWordsValidator",
        "OPTIONS": {"words": config("PASSWORD_WORDS", default=[], cast=Csv())},
    },
]

# Signs tokens (accounts.auth.tokens.KeyRotatingBackend). Django's own signatures use SECRET_KEY.
TOKEN_KEY = config("TOKEN_KEY", default=SECRET_KEY)
TOKEN_KEY_FALLBACKS = config(
    "TOKEN_KEY_FALLBACKS",
    default=SECRET_KEY_FALLBACKS if TOKEN_KEY == SECRET_KEY else [],
    cast=Csv(),
)
SIMPLE_JWT = {
    "AUTH_TOKEN_CLASSES": ("accounts.auth.tokens.SessionAccessToken",),
    "ACCESS_TOKEN_LIFETIME": timedelta(
        minutes=config("ACCESS_TOKEN_MINUTES", default=15, cast=int)
    ),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=config("REFRESH_TOKEN_DAYS", default=7, cast=int)),
    "ALGORITHM": "HS256",
    "SIGNING_KEY": TOKEN_KEY,
    "ISSUER": "medical-platform",
    "AUDIENCE": "medical-platform-api",
    "LEEWAY": 30,  # seconds of tolerated clock difference
    "AUTH_HEADER_TYPES": ("Bearer",),
}
# A session ends if it is not refreshed for SESSION_IDLE or is older than SESSION_ABSOLUTE; 0 means
# no limit.
SESSION_IDLE = timedelta(
    minutes=config("SESSION_IDLE_MINUTES", default=0 if DEBUG else 60, cast=int)
)
SESSION_ABSOLUTE = timedelta(
    hours=config("SESSION_ABSOLUTE_HOURS", default=0 if DEBUG else 12, cast=int)
)
# The sessions with tokens that one account may have; a new one ends the oldest. 0 means no limit.
MAX_SESSIONS = config("MAX_SESSIONS", default=20, cast=int)
# Two tabs may refresh with the same token at once. Within this time the slower one gets a 409;
# after it, a used token counts as stolen and ends the session.
REFRESH_GRACE_SECONDS = 10

SESSION_ENGINE = "accounts.auth.session_store"
LOGIN_URL = "/admin/login/"
LOGIN_REDIRECT_URL = "/api/"
LOGOUT_REDIRECT_URL = "/api/"

# Whether a web process delivers letters after its commits. If false, only `manage.py work` does.
WEB_DELIVERS_LETTERS = config("WEB_DELIVERS_LETTERS", default=True, cast=bool)
# The number of letters that may be requested for one e-mail address within an hour: links that set
# a password or confirm the address. 0 means no limit.
LETTERS_PER_RECIPIENT = config("LETTERS_PER_RECIPIENT", default=5, cast=int)

FRONTEND_URL = config("FRONTEND_URL", default="http://localhost:3000").rstrip("/")

# E-mails contain names and links that set a password: print them in development only.
_email = dj_email_url.parse(
    config("EMAIL_URL", default="console:" if DEBUG else "smtp://localhost:25")
)
EMAIL_BACKEND = _email["EMAIL_BACKEND"]
EMAIL_HOST = _email["EMAIL_HOST"]
EMAIL_PORT = _email["EMAIL_PORT"]
EMAIL_HOST_USER = _email["EMAIL_HOST_USER"]
EMAIL_HOST_PASSWORD = _email["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS = _email["EMAIL_USE_TLS"]
EMAIL_USE_SSL = _email["EMAIL_USE_SSL"]
EMAIL_FILE_PATH = _email["EMAIL_FILE_PATH"]
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = config("DEFAULT_FROM_EMAIL", default="clinic@localhost")

# --- The API --------------------------------------------------------------------------------

BROWSABLE_API = config("BROWSABLE_API", default=True, cast=bool)
API_DOCS = config("API_DOCS", default=True, cast=bool)

REST_FRAMEWORK = {
    # The first class decides that requests without credentials are answered with 401, not 403.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.auth.authentication.SessionJWTAuthentication",
        *(["rest_framework.authentication.SessionAuthentication"] if BROWSABLE_API else []),
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.permissions.RoleAccess"],
    "DEFAULT_PARSER_CLASSES": ["config.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": [
        "config.api.renderers.EnvelopeJSONRenderer",
        *(["config.api.renderers.EnvelopeBrowsableAPIRenderer"] if BROWSABLE_API else []),
    ],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "config.api.negotiation.StrictContentNegotiation",
    "DEFAULT_FILTER_BACKENDS": [
        "config.api.filters.CachedFilterBackend",
        "config.api.filters.BoundedSearchFilter",
        "config.api.filters.StrictOrderingFilter",
    ],
    "DEFAULT_PAGINATION_CLASS": "config.api.pagination.PagePagination",
    "DEFAULT_METADATA_CLASS": "config.api.metadata.ActionMetadata",
    "DEFAULT_SCHEMA_CLASS": "config.api.schema.EnvelopeAutoSchema",
    "EXCEPTION_HANDLER": "config.api.exceptions.exception_handler",
    "DEFAULT_THROTTLE_CLASSES": [
        "config.api.throttling.CallerThrottle",
        "config.api.throttling.EndpointThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {
        scope: None if DEBUG else config(f"THROTTLE_{scope.upper()}", default=rate)
        for scope, rate in {
            "user": "600/min",
            "login": "10/min",
            "register": "20/hour",
            "register_network": "100/day",
        }.items()
    },
    # The number of proxies that append to X-Forwarded-For; with 0 the header is ignored.
    "NUM_PROXIES": config("NUM_PROXIES", default=1 if HTTPS else 0, cast=int),
    "COERCE_DECIMAL_TO_STRING": False,
    # Only the documented formats.
    "DATE_INPUT_FORMATS": ["%Y-%m-%d"],
    "TIME_INPUT_FORMATS": ["%H:%M:%S", "%H:%M"],
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}

# Larger bodies are answered with 413 before they are read. MAX_UPLOAD_BYTES applies to forms.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
MAX_UPLOAD_BYTES = config("MAX_UPLOAD_MB", default=6, cast=int) * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = MAX_UPLOAD_BYTES

# --- Files ----------------------------------------------------------------------------------

STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True  # static files are served without a collectstatic step
MEDIA_URL = "/media/"
MEDIA_ROOT = Path(config("MEDIA_ROOT", default=str(BASE_DIR / "media")))
STORAGES = {
    "default": {"BACKEND": "config.files.AtomicFileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# --- Versions of records (django-simple-history) --------------------------------------------

SIMPLE_HISTORY_REVERT_DISABLED = True  # a revert would bypass the services

# --- The admin (django-unfold) --------------------------------------------------------------

UNFOLD = {
    "SITE_TITLE": "Medical Platform",
    "SITE_HEADER": "Medical Platform",
    "SITE_SUBHEADER": _("Clinic administration"),
    "SITE_SYMBOL": "local_hospital",
    "DASHBOARD_CALLBACK": "config.admin.dashboard.dashboard",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SIDEBAR": {
        "show_search": True,
        "navigation": "config.admin.navigation.sidebar",
    },
}

# --- Logs -----------------------------------------------------------------------------------

# "json" redacts personal data (config.http.log_formatter). "console" does not; it is for
# development, and config.checks refuses it in production.
LOG_FORMAT = config(
    "LOG_FORMAT", default="console" if DEBUG else "json", cast=Choices(["json", "console"])
)
LOG_LEVEL = config("LOG_LEVEL", default="INFO", cast=str.upper)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "config.http.request_id.RequestIdFilter"}},
    "formatters": {
        "json": {
            "()": "config.http.log_formatter.JSONFormatter",
            "ours": ["config", "accounts", "patients", "appointments", "consultations"],
        },
        "console": {
            "format": "{asctime} {levelname} {name} [{request_id}] {message}",
            "style": "{",
        },
    },
    "handlers": {
        "lines": {
            "class": "logging.StreamHandler",
            "filters": ["request_id"],
            "formatter": LOG_FORMAT,
        }
    },
    "root": {"handlers": ["lines"], "level": LOG_LEVEL},
    "loggers": {
        # Without Django's own handlers, one of which e-mails the request and all local variables.
        "django": {"handlers": [], "level": LOG_LEVEL, "propagate": True},
        # The access log replaces the warnings of these two, which contain paths.
        "django.request": {"level": "ERROR"},
        "django.server": {"handlers": [], "level": "ERROR", "propagate": True},
        "django.db.backends": {"level": "INFO"},  # DEBUG would log statements with their values
    },
}
logging.captureWarnings(capture=True)
