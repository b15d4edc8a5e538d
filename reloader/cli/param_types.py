"""What an option's value can be: text becomes a value, or a sentence about what is wrong with it."""

from __future__ import annotations

import math
import os
import re
from typing import Any

import click

from reloader.settings import parse_duration, parse_signal


def _short(text: str) -> str:
    """The text as it can be told."""
    return text if len(text) <= 40 else f"{text[:40]}..."


class Text(click.ParamType[str]):
    """Text; in an environment variable several are separated as paths are (`:`)."""

    name = "text"
    envvar_list_splitter = os.pathsep

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text as it is."""
        return str(value)


class Duration(click.ParamType[float]):
    """Seconds; infinity for `none`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds from text."""
        try:
            seconds = parse_duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return math.inf if seconds is None else seconds


class Count(click.ParamType[int]):
    """A number of things, one at least."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number from text."""
        text = str(value).strip()
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text)):
            self.fail(f"{_short(text)!r} is not a number of at least 1", param, ctx)
        return int(text)


class SignalName(click.ParamType[int]):
    """A signal's number."""

    name = "signal"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number from a name."""
        try:
            return parse_signal(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Pattern(click.ParamType[str]):
    """A regular expression."""

    name = "pattern"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The expression, if it is one."""
        try:
            re.compile(str(value).encode())
        except re.error as error:
            self.fail(f"{value!r} is not a regular expression: {error}", param, ctx)
        return str(value)
