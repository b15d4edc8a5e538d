import os
from datetime import datetime, timezone

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from django_q.models import Schedule
from tick import dues

for due in dues():
    Schedule.objects.create(
        func="jobs.tasks.task",
        args=repr((due,)),
        schedule_type=Schedule.ONCE,
        next_run=datetime.fromtimestamp(due, timezone.utc),
    )
    print(due)
