from jobs.models import Order


def queue(number, seconds):
    Order.objects.create(number=number, seconds=seconds)
