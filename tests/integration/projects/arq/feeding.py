import asyncio

from app import WorkerSettings
from arq import create_pool

loop = asyncio.new_event_loop()
pool = loop.run_until_complete(create_pool(WorkerSettings.redis_settings))


def queue(number, seconds):
    loop.run_until_complete(pool.enqueue_job("task", number, seconds))
