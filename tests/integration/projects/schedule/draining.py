import signal
import threading

import schedule
from jobs import job

stop = threading.Event()
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *_: stop.set())

schedule.every(0.1).seconds.do(job)
while not stop.is_set():
    schedule.run_pending()
    stop.wait(0.02)
