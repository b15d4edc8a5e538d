VERSION = 1

import os

from arq.connections import RedisSettings
from work import work_async


async def task(ctx, number, seconds):
    await work_async(number, seconds, VERSION)


class WorkerSettings:
    functions = (task,)
    redis_settings = RedisSettings.from_dsn(os.environ["REDIS_URL"])
    job_completion_wait = int(os.environ.get("WAIT", "0"))
    poll_delay = 0.1
