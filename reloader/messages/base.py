"""The base of events, effects, notices and other small values, told apart by their class."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

    from typing_extensions import Self, dataclass_transform
else:

    def dataclass_transform(**_options: bool) -> Any:
        """`typing` has it from Python 3.11 on, and only type checkers look at it."""
        return lambda cls: cls


@dataclass_transform(frozen_default=True)
class Message:
    """A value whose annotated attributes are its fields, as in a frozen dataclass.

    Dataclasses compile the methods of every class anew. For the many kinds of messages that is a
    fifth of the time from our exec to the worker's, so here all classes share these methods.
    """

    __match_args__: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        cls.__match_args__ += tuple(cls.__annotations__)  # type: ignore[misc]  # taken as generated

    def __init__(self, *given: Any, **named: Any) -> None:
        fields = self.__match_args__
        if len(given) > len(fields):
            raise TypeError(f"{type(self).__name__} has {len(fields)} fields, not {len(given)}")
        values = dict(zip(fields, given, strict=False))
        if clash := values.keys() & named or named.keys() - set(fields):
            raise TypeError(f"{type(self).__name__}: given twice, or no field of it: {', '.join(clash)}")
        values |= named
        for field in fields[len(given) :]:
            if field not in values:
                try:
                    values[field] = getattr(type(self), field)
                except AttributeError:
                    raise TypeError(f"{type(self).__name__}: {field} is missing") from None
        self.__dict__.update(values)

    def but(self, **changes: Any) -> Self:
        """The same value, but for these fields."""
        return type(self)(**{**self.__dict__, **changes})

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} cannot be changed")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), *(self.__dict__[field] for field in self.__match_args__)))

    def __repr__(self) -> str:
        fields = ", ".join(f"{field}={getattr(self, field)!r}" for field in self.__match_args__)
        return f"{type(self).__name__}({fields})"
