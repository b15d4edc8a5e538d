VERSION = 1

import os

from taskiq_redis import ListQueueBroker, RedisStreamBroker
from work import work

if "LIST" in os.environ:
    broker = ListQueueBroker(os.environ["REDIS_URL"], socket_timeout=None)
else:
    broker = RedisStreamBroker(os.environ["REDIS_URL"])


@broker.task
def task(number, seconds):
    work(number, seconds, VERSION)
