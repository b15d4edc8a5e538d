"""What is known about a worker from its command line, before it runs. Supervisor process, main thread."""
