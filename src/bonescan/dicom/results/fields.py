"""How each kind of value becomes content items of a report and comes back: one description serves both ways.

A `Record` names every field of a value with its concept. What it writes it reads again, equal: numbers in full
precision, words as they are, an absent measurement with its unit, method and reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

from bonescan.dicom.results import items
from bonescan.dicom.results.codes import Code, own, sct
from bonescan.measurement import Measurement

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = [
    "SOURCE",
    "Choice",
    "Day",
    "Field",
    "Figure",
    "Mapped",
    "Measured",
    "Nested",
    "Perhaps",
    "Record",
    "Records",
    "Sentences",
    "Truth",
    "Whole",
    "Wholes",
    "Words",
]

_YES, _NO = sct("373066001", "Yes"), sct("373067005", "No")
_DEVIATION = sct("386136009", "Standard deviation")
_METHOD, SOURCE = own("method", "How it was measured"), own("source", "What the method rests on")
_UNIT = own("unit", "Unit of what was not measured")


class Field(Protocol):
    """What writes one field of a value as content items, and reads it from among the items of its container."""

    def write(self, value: Any) -> list[Dataset]:
        """The items; none where there is nothing to say."""

    def read(self, among: Sequence[Dataset]) -> Any:
        """The value that was written."""


@dataclass(frozen=True, slots=True)
class Words:
    """A text; empty where there is no item."""

    name: Code

    def write(self, value: str) -> list[Dataset]:
        """One item."""
        return [items.text(self.name, value)] if value else []

    def read(self, among: Sequence[Dataset]) -> str:
        """The text."""
        found = items.named(among, self.name)
        return items.text_of(found[0]) if found else ""


@dataclass(frozen=True, slots=True)
class Sentences:
    """Several texts in their order."""

    name: Code

    def write(self, value: Sequence[str]) -> list[Dataset]:
        """An item for each."""
        return [items.text(self.name, sentence) for sentence in value]

    def read(self, among: Sequence[Dataset]) -> tuple[str, ...]:
        """The texts."""
        return tuple(items.text_of(item) for item in items.named(among, self.name))


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that is always there."""

    name: Code
    unit: str = "1"

    def write(self, value: float) -> list[Dataset]:
        """One item."""
        return [items.number(self.name, value, self.unit)]

    def read(self, among: Sequence[Dataset]) -> float:
        """The number."""
        found = items.number_of(items.only(among, self.name))
        return found[0]


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number that is always there."""

    name: Code

    def write(self, value: int) -> list[Dataset]:
        """One item."""
        return [items.number(self.name, value, "1")]

    def read(self, among: Sequence[Dataset]) -> int:
        """The number."""
        return round(Figure(self.name).read(among))


@dataclass(frozen=True, slots=True)
class Wholes:
    """Several whole numbers in their order."""

    name: Code

    def write(self, value: Sequence[int]) -> list[Dataset]:
        """An item for each."""
        return [items.number(self.name, one, "1") for one in value]

    def read(self, among: Sequence[Dataset]) -> tuple[int, ...]:
        """The numbers."""
        found = (items.number_of(item) for item in items.named(among, self.name))
        return tuple(round(one[0]) for one in found)


@dataclass(frozen=True, slots=True)
class Day:
    """A date; none where there is no item."""

    name: Code

    def write(self, value: date | None) -> list[Dataset]:
        """One item."""
        return [] if value is None else [items.day(self.name, value)]

    def read(self, among: Sequence[Dataset]) -> date | None:
        """The date."""
        found = items.named(among, self.name)
        return items.day_of(found[0]) if found else None


@dataclass(frozen=True, slots=True)
class Truth:
    """Yes or no."""

    name: Code

    def write(self, value: bool) -> list[Dataset]:
        """One item."""
        return [items.coded(self.name, _YES if value else _NO)]

    def read(self, among: Sequence[Dataset]) -> bool:
        """Whether it is yes."""
        return items.code_of(items.only(among, self.name)) == (_YES.value, _YES.scheme)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a closed list, each with its code."""

    name: Code
    codes: Mapping[Any, Code]
    absent: Any = None
    """What it was where an earlier version did not say it."""

    def write(self, value: object) -> list[Dataset]:
        """One item."""
        return [items.coded(self.name, self.codes[value])]

    def read(self, among: Sequence[Dataset]) -> Any:
        """The member whose code it is."""
        if self.absent is not None and not items.named(among, self.name):
            return self.absent
        by_code = {(code.value, code.scheme): member for member, code in self.codes.items()}
        return by_code[items.code_of(items.only(among, self.name))]


@dataclass(frozen=True, slots=True)
class Measured:
    """A measurement with uncertainty, method and source, or the reason why it is absent."""

    name: Code

    def write(self, value: Measurement) -> list[Dataset]:
        """One number and its properties; where it is absent, a text with the reason."""
        parts = [items.text(_METHOD, value.method, items.PROPERTIES)] if value.method else []
        if value.source:
            parts.append(items.text(SOURCE, value.source, items.PROPERTIES))
        if value.uncertainty is not None:
            parts.append(items.number(_DEVIATION, value.uncertainty, value.unit, items.PROPERTIES))
        if value.value is None:
            # a number without a value is allowed, and several readers fail on it
            parts.append(items.text(_UNIT, value.unit, items.PROPERTIES))
            return [items.text(self.name, value.absent_reason, parts=parts)]
        return [items.number(self.name, value.value, value.unit, parts=parts)]

    def read(self, among: Sequence[Dataset]) -> Measurement:
        """The measurement."""
        item = items.only(among, self.name)
        parts = item.get("ContentSequence") or []
        found = items.number_of(item) if item.ValueType == "NUM" else None
        deviation = items.named(parts, _DEVIATION)
        spread = items.number_of(deviation[0]) if deviation else None
        return Measurement(
            value=None if found is None else found[0],
            unit=Words(_UNIT).read(parts) if found is None else found[1],
            uncertainty=None if spread is None else spread[0],
            method=Words(_METHOD).read(parts),
            source=Words(SOURCE).read(parts),
            absent_reason=items.text_of(item) if found is None else "",
        )


@dataclass(frozen=True, slots=True)
class Record:
    """A value of several fields.

    Parameters
    ----------
    make : callable
        Takes the fields by name and gives the value.
    fields : mapping of str to Field
    """

    make: Callable[..., Any]
    fields: Mapping[str, Field]

    def write(self, value: object) -> list[Dataset]:
        """The items of all its fields."""
        return [item for name, one in self.fields.items() for item in one.write(getattr(value, name))]

    def read(self, among: Sequence[Dataset], **others: object) -> Any:
        """The value; `others` are fields that are told elsewhere."""
        return self.make(**{name: one.read(among) for name, one in self.fields.items()}, **others)


@dataclass(frozen=True, slots=True)
class Records:
    """Several values of one kind, each under a heading of its own."""

    name: Code
    record: Record

    def write(self, value: Sequence[object]) -> list[Dataset]:
        """A container for each."""
        return [items.container(self.name, self.record.write(one)) for one in value]

    def read(self, among: Sequence[Dataset]) -> tuple[Any, ...]:
        """The values in their order."""
        return tuple(self.record.read(item.ContentSequence) for item in items.named(among, self.name))


@dataclass(frozen=True, slots=True)
class Nested:
    """One value of several fields under a heading of its own."""

    name: Code
    record: Record

    def write(self, value: object) -> list[Dataset]:
        """A container."""
        return [items.container(self.name, self.record.write(value))]

    def read(self, among: Sequence[Dataset]) -> Any:
        """The value."""
        return self.record.read(items.only(among, self.name).ContentSequence)


@dataclass(frozen=True, slots=True)
class Perhaps:
    """A value that may be none: then there is no item."""

    name: Code
    field: Field

    def write(self, value: object) -> list[Dataset]:
        """The items of what is there."""
        return [] if value is None else self.field.write(value)

    def read(self, among: Sequence[Dataset]) -> Any:
        """The value, or none."""
        return self.field.read(among) if items.named(among, self.name) else None


@dataclass(frozen=True, slots=True)
class Mapped:
    """A mapping: for each key a container with the key and its value, or its several values."""

    name: Code
    key: Field
    values: tuple[Field, ...]

    def write(self, value: Mapping[Any, Any]) -> list[Dataset]:
        """A container for each key."""
        found = []
        for key, told in value.items():
            each = told if len(self.values) > 1 else (told,)
            parts = [item for one, part in zip(self.values, each, strict=True) for item in one.write(part)]
            found.append(items.container(self.name, [*self.key.write(key), *parts]))
        return found

    def read(self, among: Sequence[Dataset]) -> dict[Any, Any]:
        """The mapping in its order."""
        found = {}
        for item in items.named(among, self.name):
            each = tuple(one.read(item.ContentSequence) for one in self.values)
            found[self.key.read(item.ContentSequence)] = each if len(self.values) > 1 else each[0]
        return found
