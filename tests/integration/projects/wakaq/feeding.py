import os

import tasks

task = tasks.task_async if "ASYNC" in os.environ else tasks.task


def queue(number, seconds):
    task.delay(number, seconds)
