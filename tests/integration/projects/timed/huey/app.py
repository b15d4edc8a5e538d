VERSION = 1

import os

from huey import RedisHuey, crontab
from tick import tick

huey = RedisHuey("h", url=os.environ["REDIS_URL"])


@huey.task()
def task(due):
    tick(due)


if "PERIODIC" in os.environ:

    @huey.periodic_task(crontab(minute="*"))
    def every_minute():
        tick()
