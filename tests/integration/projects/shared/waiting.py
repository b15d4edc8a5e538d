"""Prints how many clients wait for the next message of this project's database."""

import os

import redis

connection = redis.from_url(os.environ["REDIS_URL"])
database = str(connection.connection_pool.connection_kwargs["db"])
print(sum(one["db"] == database and "b" in one["flags"] for one in connection.client_list()))
