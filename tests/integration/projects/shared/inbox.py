"""A folder of numbered files, for workers that have no broker: whoever renames a file has its task."""

import os


def queue(number, seconds):
    inbox = os.environ["INBOX"]
    os.makedirs(inbox, exist_ok=True)
    with open(f"{inbox}/.{number}", "w") as file:
        file.write(str(seconds))
    os.rename(f"{inbox}/.{number}", f"{inbox}/{number}")


def take():
    """The number and the seconds of the next task, or None."""
    inbox = os.environ["INBOX"]
    try:
        names = sorted((name for name in os.listdir(inbox) if name.isdigit()), key=int)
    except FileNotFoundError:
        return None
    for name in names:
        try:
            os.rename(f"{inbox}/{name}", f"{inbox}/{name}.taken")
        except FileNotFoundError:
            continue
        with open(f"{inbox}/{name}.taken") as file:
            return int(name), float(file.read())
    return None
