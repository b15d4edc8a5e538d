from app import task


def queue(number, seconds):
    task(number, seconds)
