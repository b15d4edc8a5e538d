from base import *

INSTALLED_APPS += ["django_q"]
Q_CLUSTER = {"name": "q", "workers": 2, "timeout": 300, "retry": 600, "orm": "default", "poll": 0.2}
