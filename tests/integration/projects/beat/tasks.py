VERSION = 1

import os

from celery import Celery

# Without the words of the other projects: what it sends stays in the list that stands for the queue.
app = Celery("tasks", broker=os.environ["REDIS_URL"])
app.conf.beat_schedule = {"tick": {"task": "tick", "schedule": float(os.environ["EVERY"])}}
