VERSION = 1

import os

from celery import Celery
from celery.signals import after_task_publish
from tick import EVERY, tick

app = Celery("tasks", broker=os.environ["REDIS_URL"])
app.conf.beat_schedule = {"tick": {"task": "tick", "schedule": EVERY}}
app.conf.beat_max_loop_interval = 1


@after_task_publish.connect
def sent(**_):
    # Noted as it is sent: a worker that is restarted itself does it later.
    tick()


@app.task(name="tick", ignore_result=True)
def task():
    pass
