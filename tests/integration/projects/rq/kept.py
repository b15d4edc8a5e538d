"""Prints the numbers of the tasks that rq has put aside: taken out of the queue, but not begun or not ended."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from django_rq import get_queue

queue = get_queue("default")
aside = queue.intermediate_queue.get_job_ids() + queue.failed_job_registry.get_job_ids()
print(*(queue.fetch_job(one).args[0] for one in aside))
