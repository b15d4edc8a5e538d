import django_rq


def queue(number, seconds):
    django_rq.get_queue("default").enqueue("jobs.tasks.task", number, seconds)
