from base import *

INSTALLED_APPS += ["django_q"]
Q_CLUSTER = {"name": "q", "workers": 2, "timeout": 30, "retry": 60, "orm": "default", "poll": 0.2}
