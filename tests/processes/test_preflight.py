"""Sources are judged before a working worker is stopped."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from reloader.processes.preflight import SyntaxCheck


def test_while_a_large_source_is_judged_we_go_on(tmp_path: Path) -> None:
    """Seen to fail where it was compiled in our own process: that stood still for some seconds."""
    large = tmp_path / "large.py"
    large.write_text("number = [1, 2, 3]\n" * 100_000 + "def broken(:\n")
    found: dict[str, str] = {}
    judging = threading.Thread(target=lambda: found.update(SyntaxCheck(None).faults([str(large)])))
    judging.start()
    longest, last = 0.0, time.monotonic()
    while judging.is_alive():
        judging.join(0.005)
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    assert "line 100001" in found[str(large)]
    assert longest < 1.0
