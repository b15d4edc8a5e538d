"""The command of every generation but the first, where generations overlap.

Two workers cannot share a name, so the name gets the generation's number; and the preset's `later_options`
are added.
"""

from __future__ import annotations

from collections.abc import Sequence

from reloader.presets.preset import Preset
from reloader.settings import NUMBER


def later_command(
    command: Sequence[str], program: Sequence[str], arguments: int, preset: Preset
) -> tuple[str, ...] | None:
    """The command with NUMBER in place of the generation's number; empty if all generations have the same.

    `program` is what the command runs in the end; the last `arguments` words of it are the program's own.
    None if a name is needed that cannot be put into the command, such as into the text of a shell.
    """
    begin = len(program) - arguments
    end = next((index for index in range(begin, len(program)) if program[index] == "--"), len(program))
    own = list(program[begin:end])
    is_named = _add_number(own, preset)
    own += [option for option in preset.later_options if option not in own]
    words = [*program[:begin], *own, *program[end:]]
    if words == list(program):
        return ()
    before = len(command) - len(program)
    if not program or list(command[before:]) != list(program):
        return None if is_named else ()
    return (*command[:before], *words)


def _add_number(words: list[str], preset: Preset) -> bool:
    """Put the number into the name among these arguments; False if the worker needs no name."""
    for index in range(len(words) - 1, -1, -1):
        word = words[index]
        start, equals, value = word.partition("=")
        if start in preset.named_by and equals:
            words[index] = f"{start}={_numbered(value)}"
        elif start in preset.named_by and index + 1 < len(words):
            words[index + 1] = _numbered(words[index + 1])
        elif short := next((option for option in preset.named_by if _has_value_attached(word, option)), ""):
            words[index] = short + _numbered(word.removeprefix(short))
        else:
            continue
        return True
    if preset.own_name:
        words += [preset.named_by[0], _numbered(preset.own_name)]
    return bool(preset.own_name)


def _has_value_attached(word: str, option: str) -> bool:
    """Whether the word is `-nNAME`."""
    return not option.startswith("--") and word != option and word.startswith(option)


def _numbered(name: str) -> str:
    """`w1` becomes `w1.2`, and `w1@here` `w1.2@here`."""
    before, at, behind = name.partition("@")
    return f"{before}.{NUMBER}{at}{behind}"
