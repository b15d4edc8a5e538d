from base import *

INSTALLED_APPS += ["procrastinate.contrib.django"]
