"""What the worker does. Edit this file while it runs."""

import logging
import os
import time

from shop.models import Receipt

VERSION = "v1"

logger = logging.getLogger(__name__)


def greet(number):
    """Take a while, and leave a receipt."""
    time.sleep(0.3)
    Receipt.objects.create(number=number, version=VERSION, pid=os.getpid())
    logger.info("greeting %s done by %s", number, VERSION)
