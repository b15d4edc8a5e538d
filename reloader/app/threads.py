"""Helper threads, none of which dies silently."""

from __future__ import annotations

import threading
from collections.abc import Callable

from reloader.messages import events


def spawn(post: Callable[[events.Event], None], name: str, work: Callable[[], None]) -> threading.Thread:
    """Start a thread; where `work` raises, SourceFailed is posted."""

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            post(events.SourceFailed(name, f"{type(error).__name__}: {error}"))

    thread = threading.Thread(target=guarded, name=f"reloader-{name}", daemon=True)
    thread.start()
    return thread
