from jobs.tasks import task


def queue(number, seconds):
    task.delay(number, seconds)
