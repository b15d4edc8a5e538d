VERSION = 1

from procrastinate.contrib.django import app
from work import work


@app.task
def task(number, seconds):
    work(number, seconds, VERSION)
