"""Prints the names of the workers on record."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from django_rq import get_connection
from rq import Worker

print(*(worker.name for worker in Worker.all(get_connection("default"))))
