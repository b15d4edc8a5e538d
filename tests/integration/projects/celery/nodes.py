"""Prints the names of the nodes that answer; fails where two of them have one name."""

import os
import warnings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")

from celery.exceptions import DuplicateNodenameWarning
from proj.celery import app

warnings.simplefilter("error", DuplicateNodenameWarning)
print(*app.control.inspect(timeout=3.0).ping())
