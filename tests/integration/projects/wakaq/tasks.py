VERSION = 1

import os
from urllib.parse import urlsplit

from wakaq import WakaQ
from work import work, work_async

redis = urlsplit(os.environ["REDIS_URL"])
wakaq = WakaQ(
    queues=[(0, "default")],
    host=redis.hostname,
    port=redis.port,
    db=int(redis.path[1:]),
    concurrency=2,
    soft_timeout=300,
    hard_timeout=600,
    wait_timeout=1,
)


@wakaq.task
def task(number, seconds):
    work(number, seconds, VERSION)


@wakaq.task
async def task_async(number, seconds):
    await work_async(number, seconds, VERSION)
