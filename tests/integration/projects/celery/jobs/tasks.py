VERSION = 1

from celery import shared_task
from work import work


@shared_task
def task(number, seconds):
    work(number, seconds, VERSION)
