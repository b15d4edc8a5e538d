VERSION = 1

from django_tasks import task as make_task
from work import work


@make_task()
def task(number, seconds):
    work(number, seconds, VERSION)
