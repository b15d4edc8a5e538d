VERSION = 1

import os

from huey import RedisHuey
from work import work

huey = RedisHuey("h", url=os.environ["REDIS_URL"])


@huey.task()
def task(number, seconds):
    work(number, seconds, VERSION)
