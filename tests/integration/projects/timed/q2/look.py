"""Looks at the schedules every two seconds, beside a cluster that is restarted too often to do so."""

import os
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from django_q.scheduler import scheduler

while True:
    scheduler()
    time.sleep(2)
