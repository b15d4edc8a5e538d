"""Prints the names of the workers that have taken tasks."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from django_tasks_db.models import DBTaskResult

print(*{name for result in DBTaskResult.objects.all() for name in result.worker_ids})
