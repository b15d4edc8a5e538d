"""The worker's processes: starting, signalling, waiting, and leaving none behind."""
