"""Queues a task for every line `NUMBER SECONDS` that comes in, as the application would."""

import os
import sys

if os.path.exists("manage.py"):
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
    django.setup()

from feeding import queue

print("open", flush=True)
for line in sys.stdin:
    number, seconds = line.split()
    queue(int(number), float(seconds))
    print("queued", number, flush=True)
