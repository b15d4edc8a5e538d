from jobs.tasks import task


def queue(number, seconds):
    task.send(number, seconds)
