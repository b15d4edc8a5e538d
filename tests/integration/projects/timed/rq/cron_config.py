VERSION = 1

from jobs.tasks import task
from rq import cron
from tick import EVERY, GENERATION

cron.register(task, "default", args=(0, GENERATION), interval=int(EVERY))
