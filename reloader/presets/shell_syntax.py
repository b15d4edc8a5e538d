"""Cuts the text of a shell into simple commands, without running or expanding anything.

Commands within groups and loops are found too: it matters which commands there are, not when they run. A text
that cannot be cut with certainty (functions, here-documents, `case`, `for`) gives None.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from reloader.common.lazy_pattern import lazy_pattern
from reloader.messages.base import Message

ASSIGNMENT = lazy_pattern(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
# Longer operators come first, since the first that matches is taken.
_OPERATORS = ("&>>", "<<<", "&&", "||", ";;", "|&", ">>", "<<", ">&", "<&", "<>", ">|", "&>")
_REDIRECTIONS = frozenset({">", ">>", "<", "<<<", ">&", "<&", "<>", ">|", "&>", "&>>"})
_BETWEEN = frozenset({"&&", "||", ";", "|", "|&", "&"})
# Words that stand where a command could, and after which a command begins.
_KEYWORDS = frozenset(
    {"!", "{", "}", "if", "then", "elif", "else", "fi", "while", "until", "do", "done", "(", ")"}
)
_UNKNOWN = frozenset({"for", "case", "esac", "select", "function", "coproc", "[["})
_SPECIAL = "$`"


class Command(Message):
    """One simple command."""

    words: list[str]
    environment: dict[str, str]
    """The assignments in front of it whose values are literal."""
    literal: bool
    """Nothing in its words is expanded by the shell."""
    redirected: bool
    """Its input or output is redirected."""
    before: str
    """The operator in front of it; empty for the first."""
    after: str
    """The operator behind it; empty for the last."""
    in_group: bool
    """It is inside or behind a group, a loop or a condition."""


class _Word(Message):
    text: str
    literal: bool
    quoted: bool


class _Unclear(Exception):  # noqa: N818 - it never leaves this file
    """The text cannot be cut with certainty."""


def simple_commands(text: str, arguments: Sequence[str] = ()) -> list[Command] | None:
    """The commands of a shell's text in order; None if it cannot be cut with certainty.

    `arguments` replace `"$@"`.
    """
    try:
        return list(_commands(list(_tokens(text)), arguments))
    except _Unclear:
        return None


def _commands(tokens: list[_Word | str], arguments: Sequence[str]) -> Iterator[Command]:
    words: list[_Word] = []
    redirected = in_group = False
    before = ""
    index = 0
    while index <= len(tokens):
        token = tokens[index] if index < len(tokens) else ""
        index += 1
        if isinstance(token, _Word):
            if not words and not token.quoted and token.text in _UNKNOWN:
                raise _Unclear
            if not words and not token.quoted and token.text in _KEYWORDS:
                in_group = True
            else:
                words.append(token)
        elif token in _REDIRECTIONS:
            if index == len(tokens) or not isinstance(tokens[index], _Word):
                raise _Unclear
            redirected = True
            index += 1
        elif token in ("(", ")"):
            if words and token == "(":
                raise _Unclear  # a function or an array
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
    """The words and operators of the text; the end of a line becomes a semicolon."""
    index, end = 0, len(text)
    while index < end:
        char = text[index]
        if char in " \t\r" or text.startswith("\\\n", index):
            index += 1 if char != "\\" else 2
        elif char == "#":
            while index < end and text[index] != "\n":
                index += 1
        elif char == "\n":
            index += 1
            yield ";"
        elif operator := _operator_at(text, index):
            index += len(operator)
            yield operator
        else:
            word, index = _word_at(text, index)
            # A number in front of a redirection is a descriptor, which belongs to the redirection.
            if not (word.text.isdigit() and not word.quoted and text[index : index + 1] in ("<", ">")):
                yield word


def _operator_at(text: str, index: int) -> str:
    for operator in _OPERATORS:
        if text.startswith(operator, index):
            if operator == "<<":
                raise _Unclear  # a here-document
            return operator
    return text[index] if text[index] in ";|&<>()" else ""


def _word_at(text: str, index: int) -> tuple[_Word, int]:
    found = ""
    literal, quoted = True, False
    while index < len(text) and text[index] not in " \t\r\n;|&<>()":
        char = text[index]
        if char == "'":
            close = _index_of(text, "'", index + 1)
            found += text[index + 1 : close]
            quoted, index = True, close + 1
        elif char == '"':
            inner, is_literal, index = _double_quoted(text, index + 1)
            found += inner
            quoted, literal = True, literal and is_literal
        elif char == "\\":
            if index + 1 == len(text):
                raise _Unclear
            found += text[index + 1].replace("\n", "")
            quoted, index = True, index + 2
        elif char in _SPECIAL:
            expansion, index = _expansion_at(text, index)
            found += expansion
            literal = False
        else:
            literal = literal and char not in "*?[" and not (char == "~" and not found)
            found += char
            index += 1
    return _Word(found, literal, quoted), index


def _double_quoted(text: str, index: int) -> tuple[str, bool, int]:
    """The text up to the closing quote, whether it is literal, and the index behind the quote."""
    found, literal = "", True
    while text[index : index + 1] != '"':
        char = text[index : index + 1]
        if not char:
            raise _Unclear
        if char == "\\" and text[index + 1 : index + 2] in tuple('$`"\\\n'):
            found += text[index + 1].replace("\n", "")
            index += 2
        elif char in _SPECIAL:
            expansion, index = _expansion_at(text, index)
            found += expansion
            literal = False
        else:
            found += char
            index += 1
    return found, literal, index + 1


def _expansion_at(text: str, index: int) -> tuple[str, int]:
    """The expansion (`$name`, `${...}`, `$(...)` or backticks) that begins here, and the index behind it."""
    if text[index] == "`":
        end = _index_of(text, "`", index + 1) + 1
    elif text[index + 1 : index + 2] in ("(", "{"):
        close = {"(": ")", "{": "}"}[text[index + 1]]
        depth, end = 0, index + 1
        while True:
            if end >= len(text):
                raise _Unclear
            depth += (text[end] == text[index + 1]) - (text[end] == close)
            end += 1
            if not depth:
                break
    else:
        end = index + 1
    return text[index:end], end


def _index_of(text: str, char: str, index: int) -> int:
    index = text.find(char, index)
    if index < 0:
        raise _Unclear
    return index
