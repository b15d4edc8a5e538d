"""What is known about a worker from its command line."""
