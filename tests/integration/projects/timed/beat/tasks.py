VERSION = 1

import os

from celery import Celery
from tick import EVERY, GENERATION, tick

app = Celery("tasks", broker=os.environ["REDIS_URL"])
app.conf.beat_schedule = {"tick": {"task": "tick", "schedule": EVERY, "args": (0, GENERATION)}}
app.conf.beat_max_loop_interval = 1


@app.task(name="tick", ignore_result=True)
def task(due, generation):
    tick(due, generation)
