VERSION = 1


from procrastinate import App, PsycopgConnector
from work import work

app = App(connector=PsycopgConnector())


@app.task
def task(number, seconds):
    work(number, seconds, VERSION)
