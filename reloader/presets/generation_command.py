"""The command of a later generation: two may not have one name, and none waits for what it need not."""

from __future__ import annotations

from collections.abc import Sequence

from reloader.presets.preset import Preset
from reloader.settings import NUMBER


def later_command(
    command: Sequence[str], program: Sequence[str], arguments: int, preset: Preset
) -> tuple[str, ...] | None:
    """The command with NUMBER where the generation's number goes; empty where every generation's is the same.

    `program` is what the command runs in the end, the last `arguments` words of it are the program's own.
    None where two workers would have one name, since the words cannot be changed, as in the text of a shell.
    """
    begin = len(program) - arguments
    end = next((place for place in range(begin, len(program)) if program[place] == "--"), len(program))
    front, own, rest = program[:begin], list(program[begin:end]), program[end:]
    named = _name(own, preset)
    own += [option for option in preset.later_options if option not in own]
    words = [*front, *own, *rest]
    if words == list(program):
        return ()
    before = len(command) - len(program)
    if not program or list(command[before:]) != list(program):
        return None if named else ()
    return (*command[:before], *words)


def _name(words: list[str], preset: Preset) -> bool:
    """Give these arguments a name with a number; whether they need one."""
    for place in range(len(words) - 1, -1, -1):
        start, equals, value = words[place].partition("=")
        short = next((one for one in preset.named_by if _has_value_attached(words[place], one)), "")
        if start in preset.named_by and equals:
            words[place] = f"{start}={_extended(value)}"
        elif start in preset.named_by and place + 1 < len(words):
            words[place + 1] = _extended(words[place + 1])
        elif short:
            words[place] = short + _extended(words[place].removeprefix(short))
        else:
            continue
        return True
    if preset.own_name:
        words += [preset.named_by[0], _extended(preset.own_name)]
    return bool(preset.own_name)


def _has_value_attached(word: str, option: str) -> bool:
    """Whether it is `-nNAME`."""
    return not option.startswith("--") and len(word) > len(option) and word.startswith(option)


def _extended(name: str) -> str:
    """`w1` becomes `w1.2`, and `w1@here` `w1.2@here`."""
    before, at, behind = name.partition("@")
    return f"{before}.{NUMBER}{at}{behind}"
