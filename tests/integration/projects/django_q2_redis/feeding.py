from django_q.tasks import async_task


def queue(number, seconds):
    async_task("jobs.tasks.task", number, seconds)
