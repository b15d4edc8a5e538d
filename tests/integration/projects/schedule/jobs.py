VERSION = 1

from inbox import take
from work import work


def job():
    if (taken := take()) is not None:
        work(*taken, VERSION)
