"""The supervisor's side of processes: the clients of forkserver and guard, checks, signals, resources."""
