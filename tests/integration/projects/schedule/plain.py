import time

import schedule
from jobs import job

schedule.every(0.1).seconds.do(job)
while True:
    schedule.run_pending()
    time.sleep(0.02)
