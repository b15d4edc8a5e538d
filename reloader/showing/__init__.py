"""What the user reads: the worker's bytes and our own lines."""
