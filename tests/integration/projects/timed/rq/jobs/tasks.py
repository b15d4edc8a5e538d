VERSION = 1

from tick import tick


def task(due, generation=None):
    tick(due, generation)
