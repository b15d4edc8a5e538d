from papp import app, task

app.open()


def queue(number, seconds):
    task.defer(number=number, seconds=seconds)
