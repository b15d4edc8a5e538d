VERSION = 1

import os
from urllib.parse import urlsplit

from tick import EVERY, GENERATION, tick
from wakaq import CronTask, WakaQ

redis = urlsplit(os.environ["REDIS_URL"])
wakaq = WakaQ(
    queues=[(0, "default")],
    host=redis.hostname,
    port=redis.port,
    db=int(redis.path[1:]),
    concurrency=1,
    wait_timeout=1,
    # The seconds are the last field.
    schedules=[CronTask(f"* * * * * */{EVERY:g}", "task", args=[0, GENERATION])],
)


@wakaq.task
def task(due, generation):
    tick(due, generation)
