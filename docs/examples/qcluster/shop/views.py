"""What the shop's customers see."""

from django.http import HttpResponse
from django_q.tasks import async_task


def order(request, number):
    """Queue a greeting."""
    async_task("shop.tasks.greet", number)
    return HttpResponse(f"greeting {number} is queued\n")
