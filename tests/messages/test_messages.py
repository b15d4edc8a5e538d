"""Messages are values: equal by class and fields, never changed, and matched by position."""

from __future__ import annotations

import pytest

from reloader.messages.base import Message


class Moved(Message):
    path: str
    by: int = 1


class Turned(Message):
    path: str
    by: int = 1


def test_fields_are_given_in_order_by_name_or_by_default() -> None:
    assert Moved("a").by == 1
    assert Moved("a", 2) == Moved(by=2, path="a")
    assert repr(Moved("a", by=2)) == "Moved(path='a', by=2)"


def test_classes_with_the_same_fields_differ() -> None:
    assert Moved("a") != Turned("a")
    assert len({Moved("a"), Moved("a"), Turned("a"), Moved("b")}) == 3


def test_a_message_is_matched_by_position() -> None:
    match Moved("a", 3):
        case Moved(path, by):
            assert (path, by) == ("a", 3)


@pytest.mark.parametrize(
    ("given", "named"),
    [((), {}), (("a", 1, 2), {}), (("a",), {"path": "b"}), (("a",), {"other": 1})],
    ids=["missing", "too many", "given twice", "no field of it"],
)
def test_wrong_fields_are_refused(given: tuple[object, ...], named: dict[str, object]) -> None:
    with pytest.raises(TypeError, match="Moved"):
        Moved(*given, **named)  # type: ignore[arg-type]


def test_a_message_cannot_be_changed() -> None:
    moved = Moved("a")
    with pytest.raises(AttributeError, match="cannot be changed"):
        moved.by = 2  # type: ignore[misc]
