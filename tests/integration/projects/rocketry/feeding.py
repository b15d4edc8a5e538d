from inbox import queue  # noqa: F401
