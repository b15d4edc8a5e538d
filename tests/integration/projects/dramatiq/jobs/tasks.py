VERSION = 1

import dramatiq
from work import work


@dramatiq.actor
def task(number, seconds):
    work(number, seconds, VERSION)
