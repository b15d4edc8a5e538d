"""Prints the numbers of the tasks that wait in the stream for somebody to take them again.

They were handed to a worker that has ended before it began with them.
"""

import json
import os

import redis

connection = redis.from_url(os.environ["REDIS_URL"])
for one in connection.xpending_range("taskiq", "taskiq", "-", "+", 1000):
    for _, fields in connection.xrange("taskiq", one["message_id"], one["message_id"]):
        print(json.loads(fields[b"data"])["args"][0])
