import os
from dataclasses import dataclass

from jobs.models import Order
from pgpubsub.channel import TriggerChannel


@dataclass
class Orders(TriggerChannel):
    model = Order
    lock_notifications = "UNLOCKED" not in os.environ
