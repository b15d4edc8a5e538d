from base import *

INSTALLED_APPS += ["django_rq"]
RQ_QUEUES = {"default": {"URL": REDIS, "DEFAULT_TIMEOUT": 600}}
RQ = {"SHOW_ADMIN_LINK": False}
