"""All settings, read once from a typed schema of environment variables.

The process environment wins over `.env`; `.env.example` documents every name.
"""

import os
import secrets
from pathlib import Path

import environ

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env(
    DATA=(str, str(BASE_DIR / "var")),
    DATABASE_URL=(str, ""),
    REDIS_URL=(str, ""),
    SECRET_KEY=(str, ""),
    DEBUG=(bool, False),
    HOST=(str, "127.0.0.1"),
    PORT=(int, 8000),
    ALLOWED_HOSTS=(list, []),
    CSRF_TRUSTED_ORIGINS=(list, []),
    TIME_ZONE=(str, "UTC"),
    LOG_LEVEL=(str, "INFO"),
    FETCH_ALLOW_PRIVATE=(list, []),
    FETCH_CONCURRENCY=(int, 50),
    FETCH_CONNECT_TIMEOUT=(float, 10.0),
    FETCH_TIMEOUT=(float, 20.0),
    FETCH_MAX_BYTES=(int, 15 * 1024 * 1024),
    FETCH_IN_FLIGHT_BYTES=(int, 64 * 1024 * 1024),
    FETCH_HOST_PAUSE=(float, 1.0),
    FETCH_CONTACT_URL=(str, "https://github.com/ainews/ainews"),
    FETCH_FROM=(str, ""),
    FETCH_PORTS=(list, ["80", "443", "8080", "8443"]),
    POLL_BATCH=(int, 50),
    UNREAD_HORIZON_DAYS=(int, 30),
    WORKERS=(int, 1),
)
environ.Env.read_env(BASE_DIR / ".env")  # never overrides what the process was given
for _name in env.scheme:
    if not os.environ.get(_name, "unset"):  # an empty value means the default, as in compose files
        del os.environ[_name]

for _name, (_kind, _) in env.scheme.items():
    try:
        env(_name)
    except (ValueError, TypeError):
        raise SystemExit(
            f"{_name} is no {_kind.__name__}: {os.environ[_name]!r}; see .env.example."
        ) from None

DATA = Path(env("DATA")).expanduser().resolve()
try:
    DATA.mkdir(parents=True, exist_ok=True)
except OSError as error:
    raise SystemExit(f"DATA={DATA} cannot be made: {error.strerror}.") from None


def _secret_key() -> str:
    """The configured key, else one made at first start and kept in DATA (mode 600)."""
    if env("SECRET_KEY"):
        return str(env("SECRET_KEY"))
    kept = DATA / "secret_key"
    if not kept.exists() or not kept.read_text().strip():
        # Whole or not at all: a start that is killed here must not leave an empty key.
        made = DATA / f"secret_key.{os.getpid()}"
        made.touch(mode=0o600)
        made.write_text(secrets.token_urlsafe(50))
        made.replace(kept)
    return kept.read_text().strip()


SECRET_KEY = _secret_key()
DEBUG = env("DEBUG")
HOST = env("HOST")
PORT = env("PORT")
ALLOWED_HOSTS = [*env("ALLOWED_HOSTS"), HOST, "127.0.0.1", "localhost", "[::1]"]
CSRF_TRUSTED_ORIGINS = env("CSRF_TRUSTED_ORIGINS")
REDIS_URL = env("REDIS_URL")

INSTALLED_APPS = [
    "django.contrib.admin",
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
    "ainews_site",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
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
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.context.preferences",
            ],
        },
    }
]

DATABASE_URL = env("DATABASE_URL") or f"sqlite:///{DATA / 'ainews.sqlite3'}"
DATABASES = {"default": environ.Env.db_url_config(DATABASE_URL)}
if DATABASES["default"].get("ENGINE", "").rpartition(".")[2] not in ("sqlite3", "postgresql"):
    raise SystemExit("DATABASE_URL is no address of a database; see .env.example.")
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        # A deferred transaction that turns to writing fails at once when another
        # writer is active, whatever the time-out; IMMEDIATE waits its turn.
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-32000;"
            "PRAGMA mmap_size=33554432; PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=ON"
        ),
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

if REDIS_URL:
    CACHES = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": REDIS_URL}}
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": [REDIS_URL]},
        }
    }
else:
    CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
        "queue": {
            "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
            "LOCATION": str(DATA / "queue"),
        },
    }
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

Q_CLUSTER = {
    "name": "ainews",
    "orm": "default",
    "workers": env("WORKERS"),
    "bulk": 1,
    "queue_limit": 4,
    "timeout": 600,
    # django-q2 starts the retry clock when a task is prefetched, so it must
    # exceed the time-out plus the longest wait in the local queue.
    "retry": 3600,
    "max_attempts": 3,
    "save_limit": -1,
    "poll": 1,
    "catch_up": False,
    # Without Redis the heartbeat is a small file in DATA: a cache in process would
    # hide it from the watchdog, and rows would keep the database's disk busy.
    "cache": "default" if REDIS_URL else "queue",
    "guard_cycle": 2,
    "recycle": 10_000,
    "label": "Queue",
}

AUTH_USER_MODEL = "accounts.User"
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
SESSION_COOKIE_AGE = 60 * 60 * 24 * 90
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

INTEREST_TOPICS = "feeds.topics.TOPICS"

LANGUAGE_CODE = "en"
TIME_ZONE = env("TIME_ZONE")
USE_TZ = True
USE_I18N = False

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA / "static"
STATIC_ROOT.mkdir(exist_ok=True)  # WhiteNoise warns where there is none
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.ApiTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {"TITLE": "AI News", "VERSION": "1", "SERVE_INCLUDE_SCHEMA": False}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env("LOG_LEVEL")},
    "loggers": {"httpx": {"level": "WARNING"}, "httpcore": {"level": "WARNING"}},
}

FETCH_ALLOW_PRIVATE = env("FETCH_ALLOW_PRIVATE")
FETCH_CONCURRENCY = env("FETCH_CONCURRENCY")
FETCH_CONNECT_TIMEOUT = env("FETCH_CONNECT_TIMEOUT")
FETCH_TIMEOUT = env("FETCH_TIMEOUT")
FETCH_MAX_BYTES = env("FETCH_MAX_BYTES")
FETCH_IN_FLIGHT_BYTES = env("FETCH_IN_FLIGHT_BYTES")
FETCH_HOST_PAUSE = env("FETCH_HOST_PAUSE")
FETCH_CONTACT_URL = env("FETCH_CONTACT_URL")
FETCH_FROM = env("FETCH_FROM")
FETCH_PORTS = env("FETCH_PORTS")
POLL_BATCH = env("POLL_BATCH")
UNREAD_HORIZON_DAYS = env("UNREAD_HORIZON_DAYS")
