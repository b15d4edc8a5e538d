VERSION = 1

from procrastinate.contrib.django import app
from tick import EVERY, tick


# The seconds are the last field.
@app.periodic(cron=f"* * * * * */{EVERY:g}")
@app.task
def task(timestamp):
    tick(timestamp)
