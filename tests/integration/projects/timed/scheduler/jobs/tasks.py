VERSION = 1

from scheduler import job
from tick import tick


@job()
def task(due):
    tick(due)
