VERSION = 1

import pgpubsub
from jobs.channels import Orders
from work import work


@pgpubsub.post_insert_listener(Orders)
def task(old, new):
    work(new.number, new.seconds, VERSION)
