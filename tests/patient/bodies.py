"""A body that many tests put different things into: its voxels are made once."""

from __future__ import annotations

from dataclasses import fields
from functools import cache

from bonescan.patient import Focus, Person
from bonescan.patient.frames import LabelledBody


class Lying(Person):
    """A person whose voxels are kept: what lies inside does not change them, only what lies beside the body does."""

    def labelled(self, spacing_mm: float, foci: tuple[Focus, ...] = ()) -> LabelledBody:
        if any(focus.realm in ("outside", "anywhere") for focus in foci):
            return super().labelled(spacing_mm, foci)
        return _voxels(self, spacing_mm)


@cache
def _voxels(person: Person, spacing_mm: float) -> LabelledBody:
    return Person.labelled(person, spacing_mm)


def lying(person: Person) -> Lying:
    return Lying(**{one.name: getattr(person, one.name) for one in fields(person)})
