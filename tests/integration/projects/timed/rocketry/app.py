VERSION = 1

from rocketry import Rocketry
from tick import EVERY, tick

app = Rocketry(config={"task_execution": "thread", "cycle_sleep": 0.05})


@app.task(f"every {EVERY:g} s")
def task():
    tick()


if __name__ == "__main__":
    app.run()
