"""The socket of a run by which `reloader status` asks it: server, client and protocol.

The server is a thread of the supervisor; the client runs in the process that asks.
"""
