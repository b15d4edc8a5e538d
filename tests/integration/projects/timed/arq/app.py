VERSION = 1

import os

from arq import cron
from arq.connections import RedisSettings
from tick import EVERY, tick


async def task(context):
    tick()


class WorkerSettings:
    redis_settings = RedisSettings.from_dsn(os.environ["REDIS_URL"])
    cron_jobs = (cron(task, second=set(range(0, 60, int(EVERY)))),)
    job_completion_wait = 30
