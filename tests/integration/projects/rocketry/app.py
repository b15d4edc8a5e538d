VERSION = 1

import os

from inbox import take
from rocketry import Rocketry
from work import work

app = Rocketry(config={"task_execution": os.environ.get("EXECUTION", "thread"), "cycle_sleep": 0.05})


@app.task("every 100 ms")
def task():
    if (taken := take()) is not None:
        work(*taken, VERSION)


if __name__ == "__main__":
    app.run()
