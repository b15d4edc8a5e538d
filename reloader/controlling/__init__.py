"""Talking with a run from outside: who listens, who asks, and in which words."""
