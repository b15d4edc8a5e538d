"""The types of the options' values: text is turned into a value, or an error says what is wrong with it."""

from __future__ import annotations

import enum
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import click

from reloader.settings import parse_choice


class Parsed(click.ParamType[Any]):
    """What a parser of `reloader.settings` makes of the text; it raises ValueError where it cannot."""

    # In an environment variable several values are separated as paths are (`:`).
    envvar_list_splitter = os.pathsep

    def __init__(self, parse: Callable[[str], Any], metavar: str) -> None:
        self.name = metavar
        self._parse = parse

    def get_metavar(self, *_args: object, **_kwargs: object) -> str:
        """The placeholder of the value in the help."""
        return self.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value of the text."""
        try:
            return self._parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Choice(Parsed):
    """A member of an enumeration, given by its value."""

    def __init__(self, kind: type[enum.Enum]) -> None:
        super().__init__(partial(parse_choice, kind), "|".join(one.value for one in kind))
