"""The command line: options, settings files, and every command. Supervisor process, main thread."""
