"""Reading the command line of a program that stands in front of a worker, as the table of wrappers says."""

from __future__ import annotations

import os

from reloader.presets.shell_syntax import ASSIGNMENT
from reloader.presets.wrappers import PYTHON_VALUES, WRAPPERS, Wrapper


class WrapperWords:
    """The words of a program of the table, up to the command that it runs, read as getopt(3) reads them."""

    def __init__(self, wrapper: Wrapper, rest: list[str]) -> None:
        self.rest = rest
        """The command."""
        self.operands: list[str] = []
        self.options: set[str] = set()
        """Those that were given."""
        self.environment: dict[str, str] = {}
        self.folder = ""
        self.text: str | None = None
        """What a shell runs in place of a command."""
        self.dashes = self.module = False
        """Whether `--` was met, and whether what follows is a Python module."""
        self._wrapper = wrapper
        self._read()

    def _read(self) -> None:
        wrapper = self._wrapper
        reads_all = wrapper.dashes or wrapper.task
        while self.rest:
            word = self.rest[0]
            if word == "--":
                self.rest = self.rest[1:]
                self.dashes = True
                return
            is_option = word.startswith("-") and word != "-"
            if is_option and word not in wrapper.valued and wrapper.python and word in ("-m", "-c"):
                return  # it takes what Python takes
            if is_option and word not in wrapper.valued and wrapper.project and word in ("-m", "--module"):
                self.module = True
                self.rest = self.rest[1:]
                return
            is_operand = not is_option and not ASSIGNMENT.fullmatch(word)
            if is_operand and not reads_all and len(self.operands) == wrapper.operands:
                return
            self.rest = self.rest[1:]
            if is_option:
                self._take_option(word)
                if self.text is not None:
                    return
            elif is_operand:
                self.operands.append(word)
            else:
                name, _, self.environment[name] = word.partition("=")

    def _take_option(self, word: str) -> None:
        name, equals, value = word.partition("=")
        if word.startswith("--") or name in self._wrapper.valued:
            if name in self._wrapper.valued:
                self._note(name, value if equals else self._next())
            self.options.add(name)
            return
        # Letters in a row: the first that takes a value has what follows it.
        for place, letter in enumerate(word[1:], 2):
            if f"-{letter}" in self._wrapper.valued:
                self._note(f"-{letter}", word[place:] or self._next())
                return
            self.options.add(f"-{letter}")

    def _next(self) -> str:
        value, self.rest = (self.rest[0] if self.rest else ""), self.rest[1:]
        return value

    def _note(self, option: str, value: str) -> None:
        if option in self._wrapper.texts:
            self.text = value
        elif option in self._wrapper.folders:
            self.folder = value


def wrapper_of(words: list[str]) -> tuple[str, Wrapper, list[str]] | None:
    """The program of the table that these words call, and the words that follow those that call it."""
    name, rest = os.path.basename(words[0]).removesuffix(".exe"), words[1:]
    if name.startswith(("python", "pypy")):
        while rest and rest[0] != "-m" and rest[0].startswith("-"):
            rest = rest[2 if rest[0] in PYTHON_VALUES else 1 :]
        if rest[:1] != ["-m"] or len(rest) < 2:
            return None
        name, rest = rest[1], rest[2:]
    valued = {option for key, one in WRAPPERS.items() if key[0] == name for option in one.valued}
    behind = rest
    while behind and behind[0].startswith("-") and behind[0] != "--":
        behind = behind[2 if behind[0] in valued else 1 :]
    if (name, *behind[:1]) in WRAPPERS and behind:
        between = rest[: len(rest) - len(behind)]
        return name, WRAPPERS[name, behind[0]], [*between, *behind[1:]]
    return (name, WRAPPERS[name,], rest) if (name,) in WRAPPERS else None
