"""Prints the names of the workers on record."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from scheduler.helpers.queues import get_queue
from scheduler.redis_models import WorkerModel

connection = get_queue("default").connection
print(*(worker.name for worker in WorkerModel.all(connection) if worker.death is None))
