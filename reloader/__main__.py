"""`python -m reloader`: the same as the command `reloader`."""

from reloader.cli import main

if __name__ == "__main__":
    main()
