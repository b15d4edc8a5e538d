import os
from datetime import datetime, timezone

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from scheduler.models import Task, TaskType
from scheduler.models.args import TaskArg
from tick import dues

for due in dues():
    one = Task(
        name=f"at {due}",
        task_type=TaskType.ONCE,
        callable="jobs.tasks.task",
        queue="default",
        enabled=True,
        scheduled_time=datetime.fromtimestamp(due, timezone.utc),
    )
    one.save(schedule_job=False)
    TaskArg.objects.create(content_object=one, arg_type="str", val=str(due))
    one.save()
    print(due)
