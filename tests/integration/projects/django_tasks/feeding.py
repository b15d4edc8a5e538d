from jobs.tasks import task


def queue(number, seconds):
    task.enqueue(number, seconds)
