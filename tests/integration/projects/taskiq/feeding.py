import asyncio

from app import broker, task

loop = asyncio.new_event_loop()
loop.run_until_complete(broker.startup())


def queue(number, seconds):
    loop.run_until_complete(task.kiq(number, seconds))
