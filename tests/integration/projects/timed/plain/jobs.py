VERSION = 1

import signal
import threading

import schedule
from tick import EVERY, tick

stop = threading.Event()
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *_: stop.set())

schedule.every(EVERY).seconds.do(tick)
while not stop.is_set():
    schedule.run_pending()
    stop.wait(0.02)
