from base import *

INSTALLED_APPS += ["django.contrib.messages", "django.contrib.admin", "scheduler"]
SILENCED_SYSTEM_CHECKS = ["admin.E403", "admin.E408", "admin.E409", "admin.E410"]
SCHEDULER_QUEUES = {"default": {"URL": REDIS}}
SCHEDULER_CONFIG = {"SCHEDULER_INTERVAL": 1}
