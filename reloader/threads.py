"""Helper threads: none of them dies silently."""

from __future__ import annotations

import threading
from collections.abc import Callable

from reloader.events import Event, SourceFailed


def spawn(post: Callable[[Event], None], name: str, work: Callable[[], None]) -> threading.Thread:
    """Start a thread; an error that it did not foresee becomes an event."""

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            post(SourceFailed(name, f"{type(error).__name__}: {error}"))

    thread = threading.Thread(target=guarded, name=f"reloader-{name}", daemon=True)
    thread.start()
    return thread
