"""Prints how many clusters are on record."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from django_q.status import Stat

print(len(Stat.get_all()))
