"""All settings, read once from environment variables; see ainews_site.config.schema."""

from pathlib import Path
from urllib.parse import urlsplit

import environ

from ainews_site.config.caches import caches, channel_layers
from ainews_site.config.data_folder import create_folder, create_static_folder, secret_key_in
from ainews_site.config.databases import databases, replicas_of
from ainews_site.config.env_urls import mail_problem, redis_problem, site_problem
from ainews_site.config.https import https_settings
from ainews_site.config.logs import (
    endpoint_problem,
    format_problem,
    log_format,
    logging_settings,
    sample_problem,
)
from ainews_site.config.metrics import metrics_problem, read_networks
from ainews_site.config.origins import (
    api_host_problem,
    cors_settings,
    origins_problem,
    static_problem,
)
from ainews_site.config.schema import env, read_environment
from ainews_site.config.sizing import measure, sizes_for
from ainews_site.config.values import level_problem, ports_problem, zone_problem
from ainews_site.infra.places import BASE, FILES, env_file
from ainews_site.proxies import read_proxies
from ainews_site.queue.config import cluster_settings
from feeds.ai.language.prices import read_prices

BASE_DIR = BASE
_environment = read_environment(env_file())
GIVEN = _environment.locators
"""The locators that this process was started with, without `.env`; see
ainews_site.infra.invocation."""
NAME_WARNINGS = _environment.warnings
"""Sentences on misspelt and deprecated variables."""
for _name, problem in (
    ("TIME_ZONE", zone_problem(env("TIME_ZONE"))),
    ("LOG_LEVEL", level_problem(env("LOG_LEVEL"))),
    ("LOG_FORMAT", format_problem(env("LOG_FORMAT"))),
    ("SENTRY_DSN", endpoint_problem(env("SENTRY_DSN"))),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint_problem(env("OTEL_EXPORTER_OTLP_ENDPOINT"))),
    ("OTEL_TRACES_SAMPLER_ARG", sample_problem(env("OTEL_TRACES_SAMPLER_ARG"))),
    ("FETCH_PORTS", ports_problem(env("FETCH_PORTS"))),
):
    if problem:
        raise SystemExit(f"{_name} {problem}; see .env.example.")

DATA = Path(env("DATA")).expanduser().resolve()
create_folder(DATA)
SECRET_KEY = env("SECRET_KEY") or secret_key_in(DATA)
DEBUG = env("DEBUG")
HOST = env("HOST")
PORT = env("PORT")
ALLOWED_HOSTS = [*env("ALLOWED_HOSTS"), HOST, "127.0.0.1", "localhost", "[::1]"]
CSRF_TRUSTED_ORIGINS = env("CSRF_TRUSTED_ORIGINS")
REDIS_URL = env("REDIS_URL")

INSTALLED_APPS = [
    "ainews_site",  # first, as its templates replace some of the admin's
    "ainews_site.apps.SiteAdminConfig",  # only pages need its modules; see urls.py
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "django_q",
    "accounts",
    "feeds",
    "digests",
]

MIDDLEWARE = [
    "ainews_site.request_log.RequestLogMiddleware",
    "ainews_site.measure_requests.MeasureRequestsMiddleware",
    "ainews_site.proxies.TrustedProxyMiddleware",
    "ainews_site.text_checks.TextCheckMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "ainews_site.static_files.StaticFilesMiddleware",
    "ainews_site.compression.CompressionMiddleware",
    "ainews_site.errors.WrongMethodMiddleware",
    "accounts.refusals.RefusalMiddleware",
    "ainews_site.unavailable.DatabaseErrorMiddleware",
    "accounts.middleware.TooManyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "accounts.reader_middleware.ReaderMiddleware",
    "accounts.page_reader.PageReaderMiddleware",
    "ainews_site.request_limits.BodyLimitMiddleware",
    "ainews_site.middleware.TimeZoneMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "ainews_site.middleware.ContentSecurityPolicyMiddleware",
]

ROOT_URLCONF = "ainews_site.urls"
WSGI_APPLICATION = "ainews_site.wsgi.application"
ASGI_APPLICATION = "ainews_site.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [FILES / "templates"],
        "OPTIONS": {
            "environment": "ainews_site.jinja.environment",
            "context_processors": [
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.context.preferences",
            ],
        },
    },
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",  # for the admin and forms
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

DATABASE_URL = env("DATABASE_URL") or f"sqlite:///{DATA / 'ainews.sqlite3'}"
REPLICAS = replicas_of(DATABASE_URL, env("DATABASE_REPLICA_URLS"))
DATABASES = databases(
    DATABASE_URL,
    REPLICAS,
    pool_size=env("DATABASE_POOL"),
    busy_timeout=env("SQLITE_BUSY_TIMEOUT"),
)
if REPLICAS:
    DATABASE_ROUTERS = ["ainews_site.infra.db_router.ReplicaRouter"]
    # It must wrap SessionMiddleware, which reads first and writes last.
    MIDDLEWARE.insert(
        MIDDLEWARE.index("django.contrib.sessions.middleware.SessionMiddleware"),
        "ainews_site.replica_middleware.ReplicaMiddleware",
    )
DATABASE_REPLICA_LAG = env("DATABASE_REPLICA_LAG")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

if REDIS_URL and (problem := redis_problem(REDIS_URL)):
    raise SystemExit(f"REDIS_URL {problem}; see .env.example.")
CACHES = caches(REDIS_URL, DATA)
CHANNEL_LAYERS = channel_layers(REDIS_URL, max(1, env("REDIS_EVENT_WAIT")))

SIZES = sizes_for(measure(), sqlite=DATABASES["default"]["ENGINE"].endswith("sqlite3"))
try:
    Q_CLUSTER = cluster_settings(env("QUEUE_URL"), env("WORKERS") or SIZES.workers, cache="queue")
except ValueError as error:
    raise SystemExit(f"QUEUE_URL {error}; see .env.example.") from None

SITE_URL = env("SITE_URL").rstrip("/")
if SITE_URL:
    if problem := site_problem(SITE_URL):
        raise SystemExit(f"SITE_URL {problem}; see .env.example.")
    ALLOWED_HOSTS.append(str(urlsplit(SITE_URL).hostname))
    CSRF_TRUSTED_ORIGINS = [*CSRF_TRUSTED_ORIGINS, SITE_URL]
try:
    TRUSTED_PROXIES = read_proxies(env("TRUSTED_PROXIES"))
except ValueError as error:
    raise SystemExit(
        f"TRUSTED_PROXIES: '{error}' is not an address or a network; see .env.example."
    ) from None
vars().update(
    https_settings(
        SITE_URL,
        has_proxy=bool(TRUSTED_PROXIES),
        hsts_seconds=env("HSTS_SECONDS"),
        hsts_subdomains=env("HSTS_SUBDOMAINS"),
    )
)
CORS_ORIGINS, API_HOST = [origin.rstrip("/") for origin in env("CORS_ORIGINS")], env("API_HOST")
if problem := origins_problem(CORS_ORIGINS):
    raise SystemExit(f"CORS_ORIGINS {problem}; see .env.example.")
if API_HOST:
    if problem := api_host_problem(API_HOST):
        raise SystemExit(f"API_HOST {problem}; see .env.example.")
    API_HOST = API_HOST.lower()
    ALLOWED_HOSTS.append(API_HOST)
    SECURE_SSL_HOST = None  # each host redirects to itself
    MIDDLEWARE.insert(
        MIDDLEWARE.index("ainews_site.static_files.StaticFilesMiddleware"),
        "ainews_site.api_host.ApiHostMiddleware",
    )
if CORS_ORIGINS:
    vars().update(cors_settings(CORS_ORIGINS))
    # Errors need its headers, too.
    MIDDLEWARE.insert(
        MIDDLEWARE.index("ainews_site.proxies.TrustedProxyMiddleware") + 1,
        "corsheaders.middleware.CorsMiddleware",
    )
EMAIL_URL, EMAIL_FROM = env("EMAIL_URL"), env("EMAIL_FROM")
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
if EMAIL_URL:
    if problem := mail_problem(EMAIL_URL):
        raise SystemExit(f"EMAIL_URL {problem}; see .env.example.")
    vars().update(environ.Env.email_url_config(EMAIL_URL))
EMAIL_TIMEOUT = 20
EMAIL_USE_LOCALTIME = False
DIGEST_HOUR = env("DIGEST_HOUR")
if not -1 <= DIGEST_HOUR <= 23:
    raise SystemExit(f"DIGEST_HOUR must be 0 to 23, or -1 for none, not {DIGEST_HOUR}.")

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "accounts.signin_guard.SigninGuard",
    "django.contrib.auth.backends.ModelBackend",
]
PASSWORD_HASHERS = [
    "accounts.hashing.InTurnHasher",
    "django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher",
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.BCryptSHA256PasswordHasher",
    "django.contrib.auth.hashers.ScryptPasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "/signin/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/signin/"
SESSION_ENGINE = "accounts.sessions"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 90
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "ainews_site.errors.csrf_failure"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

ARCHIVE_DIR = Path(env("ARCHIVE_DIR") or DATA / "archive")
ARCHIVE_AFTER_DAYS = env("ARCHIVE_AFTER_DAYS")

QUOTAS = {
    "sources": env("QUOTA_SOURCES"),
    "folders": env("QUOTA_FOLDERS"),
    "tokens": env("QUOTA_TOKENS"),
    "channels": env("QUOTA_CHANNELS"),
}
INTEREST_TOPICS = "feeds.core.topics.TOPICS"

LANGUAGE_CODE = "en"
TIME_ZONE = env("TIME_ZONE")
USE_TZ = True
USE_I18N = False

STATIC_URL = env("STATIC_URL")
if problem := static_problem(STATIC_URL):
    raise SystemExit(f"STATIC_URL {problem}; see .env.example.")
STATICFILES_DIRS = [FILES / "static"]
STATIC_ROOT = create_static_folder(Path(env("STATIC_ROOT") or DATA / "static"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "ainews_site.static_files.HashedFiles"},
}
WHITENOISE_USE_FINDERS = True

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.ApiTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["ainews_site.text_checks.JsonParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {"TITLE": "AI News", "VERSION": "1", "SERVE_INCLUDE_SCHEMA": False}

LOG_FORMAT = log_format(env("LOG_FORMAT"))
LOG_ADDRESSES = env("LOG_ADDRESSES")
LOGGING = logging_settings(env("LOG_LEVEL"), LOG_FORMAT)
SENTRY_DSN, SENTRY_ENVIRONMENT = env("SENTRY_DSN"), env("SENTRY_ENVIRONMENT")
OTEL_EXPORTER_OTLP_ENDPOINT = env("OTEL_EXPORTER_OTLP_ENDPOINT")
OTEL_EXPORTER_OTLP_HEADERS = env("OTEL_EXPORTER_OTLP_HEADERS")
OTEL_SERVICE_NAME = env("OTEL_SERVICE_NAME")
OTEL_TRACES_SAMPLER_ARG = env("OTEL_TRACES_SAMPLER_ARG")

FETCH_ALLOW_PRIVATE = env("FETCH_ALLOW_PRIVATE")
FETCH_CONCURRENCY = env("FETCH_CONCURRENCY") or SIZES.fetch_concurrency
FETCH_CONNECT_TIMEOUT = env("FETCH_CONNECT_TIMEOUT")
FETCH_TIMEOUT = env("FETCH_TIMEOUT")
FETCH_MAX_BYTES = env("FETCH_MAX_BYTES")
FETCH_IN_FLIGHT_BYTES = env("FETCH_IN_FLIGHT_BYTES")
FETCH_HOST_PAUSE = env("FETCH_HOST_PAUSE")
FETCH_CONTACT_URL = env("FETCH_CONTACT_URL")
FETCH_FROM = env("FETCH_FROM")
FETCH_PORTS = env("FETCH_PORTS")
LEASE_SECONDS = env("LEASE_SECONDS")
ASK_HOURLY = env("ASK_HOURLY")
COSTLY_AT_ONCE = env("COSTLY_AT_ONCE")
LLM_CACHE_DAYS = env("LLM_CACHE_DAYS")
LLM_CONCURRENCY = max(1, env("LLM_CONCURRENCY"))
LLM_CONNECT_TIMEOUT = env("LLM_CONNECT_TIMEOUT")
LLM_MODEL = env("LLM_MODEL")
LLM_MONTHLY_BUDGET = env("LLM_MONTHLY_BUDGET")
LLM_TIMEOUT = env("LLM_TIMEOUT")
try:
    LLM_PRICES = read_prices(env("LLM_PRICES"))
except ValueError as error:
    raise SystemExit(
        f"LLM_PRICES: {error} must be MODEL=DOLLARS_IN/DOLLARS_OUT; see .env.example."
    ) from None
OPENAI_API_KEY = env("OPENAI_API_KEY")
OPENAI_BASE_URL = env("OPENAI_BASE_URL")
if not OPENAI_BASE_URL.startswith(("http://", "https://")):
    raise SystemExit("OPENAI_BASE_URL must begin with http:// or https://; see .env.example.")
POLL_BATCH = env("POLL_BATCH") or SIZES.poll_batch
POLL_WAITING = env("POLL_WAITING")
REQUESTS_AT_ONCE, REQUESTS_WAITING = env("REQUESTS_AT_ONCE"), env("REQUESTS_WAITING")
if REQUESTS_AT_ONCE < 1:
    raise SystemExit(f"REQUESTS_AT_ONCE must be 1 or more, not {REQUESTS_AT_ONCE}.")
SQLITE_BUSY_TIMEOUT = env("SQLITE_BUSY_TIMEOUT")
METRICS, METRICS_TOKEN = env("METRICS"), env("METRICS_TOKEN")
METRICS_SOURCES, METRICS_LISTEN = env("METRICS_SOURCES"), env("METRICS_LISTEN")
if problem := metrics_problem(
    METRICS_TOKEN, env("METRICS_NETWORKS"), METRICS_SOURCES, METRICS_LISTEN
):
    raise SystemExit(f"{problem} See .env.example.")
METRICS_NETWORKS = read_networks(env("METRICS_NETWORKS"))
TLS_CERTIFICATE = env("TLS_CERTIFICATE")
UNREAD_HORIZON_DAYS = env("UNREAD_HORIZON_DAYS")

EMBEDDINGS = env("EMBEDDINGS") or "none"
if EMBEDDINGS not in ("none", "onnx", "sentence-transformers", "openai"):
    raise SystemExit(
        f"EMBEDDINGS={EMBEDDINGS} must be none, onnx, sentence-transformers or openai;"
        " see .env.example."
    )
EMBEDDING_MODEL = env("EMBEDDING_MODEL")
