"""The command of a later generation where no two workers may have one name: its number goes into that."""

from __future__ import annotations

from collections.abc import Sequence

from reloader.settings import NUMBER


def numbered(
    command: Sequence[str], program: Sequence[str], arguments: int, options: Sequence[str], own_name: str
) -> tuple[str, ...] | None:
    """The command with NUMBER where the generation's number goes; empty where every generation's is the same.

    `program` is what the command runs in the end, the last `arguments` words of it are the program's own.
    `options` are those by which it is named, the first of them is added where none is given and it would call
    itself by its `own_name`. None where the words cannot be changed, as in the text of a shell.
    """
    begin = len(program) - arguments
    end = next((place for place in range(begin, len(program)) if program[place] == "--"), len(program))
    words = list(program)
    for place in range(end - 1, begin - 1, -1):
        start, equals, value = words[place].partition("=")
        short = next((one for one in options if _has_value_attached(words[place], one)), "")
        if start in options and equals:
            words[place] = f"{start}={_extended(value)}"
        elif start in options and place + 1 < end:
            words[place + 1] = _extended(words[place + 1])
        elif short:
            words[place] = short + _extended(words[place].removeprefix(short))
        else:
            continue
        break
    else:
        if not own_name:
            return ()
        words[end:end] = [options[0], _extended(own_name)]
    before = len(command) - len(program)
    if before < 0 or list(command[before:]) != list(program):
        return None
    return (*command[:before], *words)


def _has_value_attached(word: str, option: str) -> bool:
    """Whether it is `-nNAME`."""
    return not option.startswith("--") and len(word) > len(option) and word.startswith(option)


def _extended(name: str) -> str:
    """`w1` becomes `w1.2`, and `w1@here` `w1.2@here`."""
    before, at, behind = name.partition("@")
    return f"{before}.{NUMBER}{at}{behind}"
