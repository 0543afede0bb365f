"""Settings, all from the environment. With nothing set the embedded default runs: SQLite, file queue, database cache."""

import sys
from datetime import timedelta
from pathlib import Path

import environ
from django.utils.translation import gettext_lazy as _

from quant_site.environment import Environment, database_from_env, redis_url_from_env, tiger_from_env

BASE_DIR = Path(__file__).resolve().parent.parent
if (BASE_DIR / ".env").is_file():
    environ.Env.read_env(BASE_DIR / ".env")  # what the environment already holds wins
env = Environment()
# Filled while this file is read; each becomes a check that fails with its id and hint.
CONFIGURATION_PROBLEMS = env.problems

# --- Where things are kept
VAR_DIR = env.folder("VAR_DIR", BASE_DIR / "var", base=BASE_DIR)
MARKET_DATA_DIR = BASE_DIR / env.text("MARKET_DATA_DIR", str(VAR_DIR / "market"))
LOCK_DIR = VAR_DIR / "locks"

# --- Security
DEBUG = env.flag("DEBUG", False)
SECRET_KEY = env.secret("SECRET_KEY", VAR_DIR)
JWT_SECRET = env.secret("JWT_SECRET", VAR_DIR)
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", ("127.0.0.1", "localhost", "[::1]"))
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
# Served over TLS: everything that only makes sense there. `check --deploy` wants it; a laptop on 127.0.0.1 cannot have it.
HTTPS = env.flag("HTTPS", False)
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SESSION_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"

# --- Applications
INSTALLED_APPS = [
    # It takes runserver's place, for sockets; in every other process its imports would cost a second for nothing.
    *(["daphne"] if "runserver" in sys.argv else []),
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "channels",
    "django_celery_beat",
    "django_htmx",
    "quant_site",
    "quant_site.core",
    "quant_site.market",
    "strategies",
    "signals_app",
    "trading",
    "advisor",
    "analytics",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "quant_site.urls"
ASGI_APPLICATION = "quant_site.asgi.application"
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
            ],
        },
    },
]

# --- Database, cache, queue, sockets
DATABASES = {"default": database_from_env(env, VAR_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
REDIS_URL = redis_url_from_env(env)
RATE_LIMITS_URL = f"{REDIS_URL}/3" if REDIS_URL else "memory://"
TASK_SECONDS = 3600
if REDIS_URL:
    CACHES = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": f"{REDIS_URL}/1", "KEY_PREFIX": "quant"}}
    CELERY_BROKER_URL = f"{REDIS_URL}/0"
    # Longer than the longest task, else Redis hands a running task to a second worker.
    CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 2 * TASK_SECONDS}
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [f"{REDIS_URL}/2"]}}}
else:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "cache_entries",
            "OPTIONS": {"MAX_ENTRIES": 20_000},
        }
    }
    CELERY_BROKER_URL = "filequeue://"  # quant_site.filequeue
    QUEUE_DIR = env.folder("QUEUE_DIR", VAR_DIR / "queue", base=BASE_DIR)
    # The poll interval bounds the latency of a task.
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(QUEUE_DIR / "messages"),
        "data_folder_out": str(QUEUE_DIR / "messages"),
        "control_folder": str(QUEUE_DIR / "control"),
        "processed_folder": str(QUEUE_DIR / "taken"),
        "polling_interval": 0.05,
    }
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

CELERY_TIMEZONE = "America/New_York"
CELERY_BEAT_SCHEDULER = "quant_site.schedules:SeededScheduler"
CELERY_TASK_TIME_LIMIT = TASK_SECONDS
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_EXPIRES = None
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True

# --- Time, language
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]

# --- Users
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.BCryptSHA256PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "login"
AUTHENTICATION_BACKENDS = ["quant_site.core.ratelimit.GuardedModelBackend"]
STRATEGY_MANAGE_USERS = env.words("STRATEGY_MANAGE_USERS")
# Real orders need this, an account made for them, and a person who arms it.
REAL_TRADING = env.flag("REAL_TRADING", False)
TIGER = tiger_from_env(env)

# --- REST
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "quant_site.core.tokens.LoginAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["quant_site.core.ratelimit.AddressThrottle"],
    # How many proxies in front of us may be believed about X-Forwarded-For; 0 believes nobody.
    "NUM_PROXIES": env.number("NUM_PROXIES", 0, least=0, most=9),
    "DEFAULT_PAGINATION_CLASS": "quant_site.core.api.Pagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "quant_site.core.api.exception_handler",
    "DEFAULT_RENDERER_CLASSES": ["quant_site.core.renderers.ExactJSONRenderer"],
}
JWT_EXPIRE_DAYS = env.number("JWT_EXPIRE_DAYS", 7, least=1, most=365)
SIMPLE_JWT = {
    "ALGORITHM": env.choice("JWT_ALGORITHM", "HS256", ("HS256", "HS384", "HS512"), id="quant.E006"),
    "SIGNING_KEY": JWT_SECRET,
    "ACCESS_TOKEN_LIFETIME": timedelta(days=JWT_EXPIRE_DAYS),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=2 * JWT_EXPIRE_DAYS),
    "CHECK_REVOKE_TOKEN": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Quant loop API",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "Direction": "signals_app.api.DIRECTION_CHOICES",
        "SignalStatus": "signals_app.api.STATUS_CHOICES",
        "OrderStatus": "trading.api.records.STATUS_CHOICES",
        "LoopRunStatus": "quant_site.core.models.LoopRun.Status",
        "LoopStageStatus": "quant_site.core.models.LoopStage.Status",
        "HealthStatus": ["ok", "degraded"],
        "AccountState": "quant_site.core.models.Account.State",
        "LoopRunKind": "quant_site.core.models.LoopRun.Kind",
        "PlanStatus": "trading.models.intents.TradingPlan.Status",
        "HedgeKind": "trading.models.hedging.HedgePolicy.Kind",
        "HedgeState": "trading.models.hedging.HedgePolicy.State",
        "HedgeSwitch": "trading.api.hedges.SWITCH_CHOICES",
    },
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "quant_site.core.schema.describe_errors"],
}

# --- Files that the web serves
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "quant_site" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = DEBUG

# --- Messages of the programs: all to the standard error stream, where the supervisor or the service manager keeps them
LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"), id="quant.E010")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    # The broker's SDK writes keys, signatures and account numbers into its messages.
    "filters": {"redact": {"()": "quant_site.market.tiger.redaction.Redaction"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain", "filters": ["redact"]}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "level": LOG_LEVEL, "propagate": True},
        # Each line of these at INFO repeats what the access log or the outbox says better.
        **{
            name: {"level": "WARNING" if LOG_LEVEL == "INFO" else LOG_LEVEL}
            for name in ("celery.beat", "celery.worker.strategy", "celery.app.trace")
        },
        "daphne.http_protocol": {"level": "WARNING"},
        "exchange_calendars": {"level": "WARNING"},
        "kombu.connection": {"level": "ERROR"},  # a file queue has no host name
    },
}

# --- Admin
UNFOLD = {
    "SITE_TITLE": _("Quant loop"),
    "SITE_HEADER": _("Quant loop"),
    "SITE_SYMBOL": "all_inclusive",
    "SHOW_LANGUAGES": True,
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "quant_site.admin_site.favicon"}],
    "SIDEBAR": {"show_search": True, "navigation": "quant_site.admin_site.navigation"},
}
