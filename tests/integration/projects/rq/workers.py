"""Prints how many workers are on record."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from django_rq import get_connection
from rq import Worker

print(len(Worker.all(get_connection("default"))))
