"""Prints how many messages wait in the named list."""

import os
import sys

import redis

print(redis.from_url(os.environ["REDIS_URL"]).llen(sys.argv[1]))
