import time

from app import task
from tick import dues

for due in dues():
    task.schedule((due,), delay=due - time.time())
    print(due)
