"""Settings of the example: one app, and django-q2 with its queue in the same SQLite database."""

from pathlib import Path

BASE_DIR = Path(__file__).parents[1]

SECRET_KEY = "only-for-this-example"
DEBUG = True
ROOT_URLCONF = "project.urls"
INSTALLED_APPS = ["django_q", "shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TIME_ZONE = "UTC"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "db.sqlite3",
        "OPTIONS": {
            # Several processes write here. A writer waits for its turn, and takes it before it reads:
            # otherwise SQLite refuses at once with "database is locked".
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;",
        },
    }
}

Q_CLUSTER = {
    "name": "shop",
    "orm": "default",
    "workers": 2,
    "timeout": 30,
    # A task that is not done after this is given out again, so it must be longer than the timeout.
    "retry": 60,
    "poll": 0.2,
    "catch_up": False,
    "save_limit": 100,
}


def is_worth_a_line(record):
    """Keep when the cluster starts and stops, and every failure; not several lines for each task."""
    return record.levelname != "INFO" or record.getMessage().startswith("Q Cluster")


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"short": {"format": "{asctime} {message}", "datefmt": "%H:%M:%S", "style": "{"}},
    "filters": {"terse": {"()": "django.utils.log.CallbackFilter", "callback": is_worth_a_line}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "short"},
        "cluster": {"class": "logging.StreamHandler", "formatter": "short", "filters": ["terse"]},
    },
    "loggers": {
        "django-q": {"handlers": ["cluster"], "level": "INFO"},
        "shop": {"handlers": ["console"], "level": "INFO"},
    },
}
