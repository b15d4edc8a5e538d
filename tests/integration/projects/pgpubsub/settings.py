from base import *

INSTALLED_APPS += ["pgtrigger", "pgpubsub"]
INSTALLED_APPS[INSTALLED_APPS.index("jobs")] = "jobs.apps.Jobs"
