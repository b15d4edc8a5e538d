VERSION = 1

from scheduler import job
from work import work


@job()
def task(number, seconds):
    work(number, seconds, VERSION)
