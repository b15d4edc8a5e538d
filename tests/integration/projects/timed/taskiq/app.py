VERSION = 1

import os

from taskiq import TaskiqScheduler
from taskiq.schedule_sources import LabelScheduleSource
from taskiq_redis import ListQueueBroker
from tick import EVERY, GENERATION, tick

broker = ListQueueBroker(os.environ["REDIS_URL"], socket_timeout=None)
scheduler = TaskiqScheduler(broker, [LabelScheduleSource(broker)])


@broker.task(schedule=[{"interval": int(EVERY), "args": [0, GENERATION]}])
def task(due, generation):
    tick(due, generation)
