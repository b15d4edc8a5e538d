import os
import sys
from datetime import datetime, timezone

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

import django_rq
from tick import dues

if "rqscheduler" in sys.argv:
    plan = django_rq.get_scheduler("default").enqueue_at
else:
    plan = django_rq.get_queue("default").enqueue_at
for due in dues():
    plan(
        datetime.fromtimestamp(due, timezone.utc).replace(
            tzinfo=None if "rqscheduler" in sys.argv else timezone.utc
        ),
        "jobs.tasks.task",
        due,
    )
    print(due)
