from jobs.tasks import task


def queue(number, seconds):
    task.defer(number=number, seconds=seconds)
