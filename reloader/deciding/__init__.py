"""What to do about what happened. Pure: no clock, no threads, no processes, no output."""
