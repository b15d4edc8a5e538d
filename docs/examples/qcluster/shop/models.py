"""What the shop remembers."""

from django.db import models


class Receipt(models.Model):
    """A task that was done: which, by which version of the code, in which process."""

    # Not unique: a task that ran twice must show.
    number = models.IntegerField()
    version = models.CharField(max_length=100)
    pid = models.IntegerField()
    done_at = models.DateTimeField(auto_now_add=True)
