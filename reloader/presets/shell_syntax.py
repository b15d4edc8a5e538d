"""The text that a shell runs, cut into simple commands. Nothing is run, and nothing is expanded.

Groups and loops are looked through: what matters is which commands there are, not when they run. What cannot
be cut with certainty (functions, here-documents, `case`, `for`) gives None.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from reloader.common.lazy_pattern import lazy_pattern
from reloader.messages.base import Message

ASSIGNMENT = lazy_pattern(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
# The longest first.
_OPERATORS = ("&>>", "<<<", "&&", "||", ";;", "|&", ">>", "<<", ">&", "<&", "<>", ">|", "&>")
_REDIRECTIONS = frozenset({">", ">>", "<", "<<<", ">&", "<&", "<>", ">|", "&>", "&>>"})
_BETWEEN = frozenset({"&&", "||", ";", "|", "|&", "&"})
# Words that begin a command's place, and after which a command begins.
_KEYWORDS = frozenset(
    {"!", "{", "}", "if", "then", "elif", "else", "fi", "while", "until", "do", "done", "(", ")"}
)
_UNKNOWN = frozenset({"for", "case", "esac", "select", "function", "coproc", "[["})
_SPECIAL = "$`"


class Command(Message):
    """One simple command."""

    words: list[str]
    environment: dict[str, str]
    """What is set in front of it, where that is said in plain."""
    literal: bool
    """Its words are what it is called with: nothing in them is expanded."""
    redirected: bool
    """Its output or input leads elsewhere."""
    before: str
    """The operator in front of it; empty for the first."""
    after: str
    """The operator behind it; empty for the last."""
    in_group: bool
    """It is within, or behind, a group, a loop or a condition."""


class _Word(Message):
    text: str
    literal: bool
    quoted: bool


class _Unclear(Exception):  # noqa: N818 - it never leaves this file
    """The text cannot be cut with certainty."""


def simple_commands(text: str, arguments: Sequence[str] = ()) -> list[Command] | None:
    """The commands of a shell's text, in their order; None where they cannot be told.

    `arguments` are what `"$@"` stands for.
    """
    try:
        return list(_commands(list(_tokens(text)), arguments))
    except _Unclear:
        return None


def _commands(tokens: list[_Word | str], arguments: Sequence[str]) -> Iterator[Command]:
    words: list[_Word] = []
    redirected = in_group = False
    before = ""
    place = 0
    while place <= len(tokens):
        token = tokens[place] if place < len(tokens) else ""
        place += 1
        if isinstance(token, _Word):
            if not words and not token.quoted and token.text in _UNKNOWN:
                raise _Unclear
            if not words and not token.quoted and token.text in _KEYWORDS:
                in_group = True
            else:
                words.append(token)
        elif token in _REDIRECTIONS:
            if place == len(tokens) or not isinstance(tokens[place], _Word):
                raise _Unclear
            redirected = True
            place += 1
        elif token in ("(", ")"):
            if words and token == "(":
                raise _Unclear  # a function, or a list of values
            in_group = True
        else:
            if token not in _BETWEEN and token:
                raise _Unclear
            if words or redirected:
                yield _command(words, arguments, redirected, before, token, in_group)
                before = token
            words, redirected = [], False


def _command(
    words: list[_Word],
    arguments: Sequence[str],
    redirected: bool,
    before: str,
    after: str,
    in_group: bool,
) -> Command:
    environment = {}
    while words and ASSIGNMENT.fullmatch(words[0].text):
        word = words.pop(0)
        if word.literal:
            name, _, value = word.text.partition("=")
            environment[name] = value
    found: list[str] = []
    literal = True
    for word in words:
        if word.text == "$@" and word.quoted:
            found += arguments
        else:
            found.append(word.text)
            literal = literal and word.literal
    return Command(found, environment, literal, redirected, before, after, in_group)


def _tokens(text: str) -> Iterator[_Word | str]:
    """Words and operators; a line's end is a semicolon."""
    place, end = 0, len(text)
    while place < end:
        char = text[place]
        if char in " \t\r" or text.startswith("\\\n", place):
            place += 1 if char != "\\" else 2
        elif char == "#":
            while place < end and text[place] != "\n":
                place += 1
        elif char == "\n":
            place += 1
            yield ";"
        elif operator := _operator_at(text, place):
            place += len(operator)
            yield operator
        else:
            word, place = _word_at(text, place)
            # The number of a descriptor in front of a redirection is part of that.
            if not (word.text.isdigit() and not word.quoted and text[place : place + 1] in ("<", ">")):
                yield word


def _operator_at(text: str, place: int) -> str:
    for operator in _OPERATORS:
        if text.startswith(operator, place):
            if operator == "<<":
                raise _Unclear  # a here-document
            return operator
    return text[place] if text[place] in ";|&<>()" else ""


def _word_at(text: str, place: int) -> tuple[_Word, int]:
    found = ""
    literal, quoted = True, False
    while place < len(text) and text[place] not in " \t\r\n;|&<>()":
        char = text[place]
        if char == "'":
            close = _found(text, "'", place + 1)
            found += text[place + 1 : close]
            quoted, place = True, close + 1
        elif char == '"':
            inner, is_literal, place = _double_quoted(text, place + 1)
            found += inner
            quoted, literal = True, literal and is_literal
        elif char == "\\":
            if place + 1 == len(text):
                raise _Unclear
            found += text[place + 1].replace("\n", "")
            quoted, place = True, place + 2
        elif char in _SPECIAL:
            expansion, place = _expansion_at(text, place)
            found += expansion
            literal = False
        else:
            literal = literal and char not in "*?[" and not (char == "~" and not found)
            found += char
            place += 1
    return _Word(found, literal, quoted), place


def _double_quoted(text: str, place: int) -> tuple[str, bool, int]:
    """What is between the quotes, whether it is literal, and where it goes on behind them."""
    found, literal = "", True
    while text[place : place + 1] != '"':
        char = text[place : place + 1]
        if not char:
            raise _Unclear
        if char == "\\" and text[place + 1 : place + 2] in tuple('$`"\\\n'):
            found += text[place + 1].replace("\n", "")
            place += 2
        elif char in _SPECIAL:
            expansion, place = _expansion_at(text, place)
            found += expansion
            literal = False
        else:
            found += char
            place += 1
    return found, literal, place + 1


def _expansion_at(text: str, place: int) -> tuple[str, int]:
    """What the shell would put something else for, and where it goes on behind that."""
    if text[place] == "`":
        end = _found(text, "`", place + 1) + 1
    elif text[place + 1 : place + 2] in ("(", "{"):
        close = {"(": ")", "{": "}"}[text[place + 1]]
        depth, end = 0, place + 1
        while True:
            if end >= len(text):
                raise _Unclear
            depth += (text[end] == text[place + 1]) - (text[end] == close)
            end += 1
            if not depth:
                break
    else:
        end = place + 1
    return text[place:end], end


def _found(text: str, char: str, place: int) -> int:
    found = text.find(char, place)
    if found < 0:
        raise _Unclear
    return found
