"""Regular expressions that are compiled when they are first used.

Compiling all of them would take 4 ms of every start, and the worker's first process needs hardly one.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, AnyStr


def lazy_pattern(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """What `re.compile` returns, as far as its methods are concerned."""
    return _LazyPattern(pattern, flags)  # type: ignore[return-value]  # it has what a pattern has


class _LazyPattern:
    def __init__(self, pattern: Any, flags: int) -> None:
        self._given = pattern, flags

    def __getattr__(self, name: str) -> Any:
        """A method of the compiled pattern, which is then found without this."""
        method = getattr(re.compile(*self._given), name)
        setattr(self, name, method)
        return method
