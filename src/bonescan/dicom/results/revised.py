"""What a physician changed of a reading, in its report: what was done to which finding, by whom and when.

::

    Changes by a physician
    ├── version they were made to, last hand
    ├── Edit by a physician ...   added, deleted, outline changed, cut, joined or judged; by whom, when
    └── identity of each finding
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bonescan.dicom.results import codes, items
from bonescan.dicom.results.codes import Code, dcm, own
from bonescan.dicom.results.fields import Choice, Mapped, Perhaps, Truth, Whole, Wholes, Words
from bonescan.dicom.results.segmentation import Masks
from bonescan.dicom.results.sources import SourceFrame
from bonescan.reading.edits import Change, Delete, Draw, Edit, Made, Merge, Outline, Reshape, Split, edit_of, plain
from bonescan.reading.model import Revision
from bonescan.scan import ViewName

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["read_revision", "revision_items"]

_HEAD, _EDIT = own("revision", "Changes by a physician"), own("edit", "Edit by a physician")
_DONE = own("edit-did", "What was done")
_DEEDS: Mapping[type[Any], Code] = {
    Draw: own("edit-drawn", "Finding added"),
    Delete: own("edit-deleted", "Finding deleted"),
    Reshape: own("edit-reshaped", "Outline of a finding changed"),
    Split: own("edit-split", "Finding cut in two"),
    Merge: own("edit-merged", "Findings joined to one"),
    Change: own("edit-judged", "Kind, bone or nature of a finding changed"),
}
_VIEW = dcm("111031", "Image View")
_OUTLINED, _DRAWN = own("edit-outline", "Outline as drawn"), dcm("111030", "Image Region")
_CUT = own("edit-cut", "End of the line of a cut")
_AT = own("edit-at", "When it was edited")
_NEW, _NEW_KIND = own("edit-number", "Number of the new finding"), own("edit-kind", "Kind it was given")
_NEW_NATURE = own("edit-nature", "Nature it was given")

_OF_VERSION, _LAST_BY = (
    Whole(own("edit-of", "Version it was made to")),
    Words(own("revised-by", "Who made the changes")),
)
_WHO, _TO = Words(own("edit-by", "Who edited")), Wholes(own("edit-finding", "Number of the finding edited"))
_DEED, _SEEN_IN = Choice(_DONE, _DEEDS), Perhaps(_VIEW, Choice(_VIEW, codes.VIEWS))
_NUMBER = Perhaps(_NEW, Whole(_NEW))
_KIND = Perhaps(_NEW_KIND, Choice(_NEW_KIND, codes.KINDS))
_NATURE = Perhaps(_NEW_NATURE, Choice(_NEW_NATURE, codes.NATURES))
_BONE = Words(own("edit-bone", "Bone it was said to be in"))
_BY_LABELS = own("edit-bone-labels", "Bone left to the labels")
_BACK = own("edit-back", "Given back to the reader's judgement")
_IDENTITIES = Mapped(
    own("identified", "Finding told from every other one"),
    Whole(own("finding-number", "Number of the finding")),
    (Words(own("identity", "What tells it from every other one")),),
)


def revision_items(revision: Revision, frames: Sequence[SourceFrame]) -> list[Dataset]:
    """What a report says of a physician's changes.

    Parameters
    ----------
    revision : Revision
    frames : sequence of SourceFrame
        Of the scan.

    Returns
    -------
    list of pydicom.Dataset
        A heading with all under it.
    """
    by_view = {frame.view: frame for frame in frames}
    edits = [items.container(_EDIT, _edit_items(edit_of(told), by_view)) for told in revision.edits]
    about = [*_OF_VERSION.write(revision.of_version), *_LAST_BY.write(revision.by)]
    return [items.container(_HEAD, [*about, *edits, *_IDENTITIES.write(revision.identities)])]


def read_revision(root: Sequence[Dataset], geometry: Mapping[ViewName, Masks]) -> Revision | None:
    """Read back what `revision_items` has written.

    Parameters
    ----------
    root : sequence of pydicom.Dataset
        Items of the report.
    geometry : mapping of ViewName to Masks
        Of the scan's views.

    Returns
    -------
    Revision or None
        Equal but for outlines and lines, which have the 32-bit floats of spatial coordinates; ``None`` where nobody
        changed anything.
    """
    found = items.named(root, _HEAD)
    if not found:
        return None
    parts = found[0].ContentSequence
    return Revision(
        of_version=_OF_VERSION.read(parts),
        edits=tuple(plain(_edit(one.ContentSequence, geometry)) for one in items.named(parts, _EDIT)),
        by=_LAST_BY.read(parts),
        identities=_IDENTITIES.read(parts),
    )


def _edit_items(edit: Edit, frames: Mapping[ViewName, SourceFrame]) -> list[Dataset]:
    parts = _DEED.write(type(edit))
    match edit:
        case Draw():
            parts += [*_NUMBER.write(edit.number), *_KIND.write(edit.kind), *_NATURE.write(edit.nature)]
            parts += _BONE.write(edit.bone)
            for view, outline in edit.outlines.items():
                parts += _outlined(view, outline, frames)
        case Reshape():
            parts += [*_TO.write([edit.finding]), *_outlined(edit.view, edit.outline, frames)]
        case Split():
            parts += [*_TO.write([edit.finding]), *_NUMBER.write(edit.number), *_SEEN_IN.write(edit.view)]
            parts += [items.region(_CUT, [end], frames[edit.view], closed=False) for end in edit.line]
        case Merge():
            parts += _TO.write(edit.findings)
        case Delete():
            parts += _TO.write([edit.finding])
        case Change():
            parts += [*_TO.write([edit.finding]), *_KIND.write(edit.kind), *_NATURE.write(edit.nature)]
            parts += _BONE.write(edit.bone or "")
            parts += Truth(_BY_LABELS).write(True) if edit.bone == "" else []
            parts += Truth(_BACK).write(True) if edit.back else []
    if edit.made is not None:
        parts += [*_WHO.write(edit.made.by), items.moment(_AT, edit.made.at)]
    return parts


def _outlined(view: ViewName, outline: Outline, frames: Mapping[ViewName, SourceFrame]) -> list[Dataset]:
    """An outline in one view; without points, that it was taken out of the view."""
    drawn = [items.region(_DRAWN, outline, frames[view], closed=True)] if outline else []
    return [items.container(_OUTLINED, [*_SEEN_IN.write(view), *drawn])]


def _edit(parts: Sequence[Dataset], geometry: Mapping[ViewName, Masks]) -> Edit:
    when, kind, nature = items.named(parts, _AT), _KIND.read(parts), _NATURE.read(parts)
    made = Made(by=_WHO.read(parts), at=items.moment_of(when[0])) if when else None
    to, number, bone = _TO.read(parts), _NUMBER.read(parts), _BONE.read(parts)
    outlines = _outlines(parts, geometry)
    deed = _DEED.read(parts)
    if deed is Draw:
        return Draw(outlines=outlines, kind=kind, bone=bone, nature=nature, number=number, made=made)
    if deed is Reshape:
        ((view, outline),) = outlines.items()
        return Reshape(finding=to[0], view=view, outline=outline, made=made)
    if deed is Split:
        view = _SEEN_IN.read(parts)
        first, second = (_points(item, geometry[view])[0] for item in items.named(parts, _CUT))
        return Split(finding=to[0], view=view, line=(first, second), number=number, made=made)
    if deed is Merge:
        return Merge(findings=to, made=made)
    if deed is Delete:
        return Delete(finding=to[0], made=made)
    told = bone if bone or items.named(parts, _BY_LABELS) else None
    back = bool(items.named(parts, _BACK))
    return Change(finding=to[0], kind=kind, bone=told, nature=nature, back=back, made=made)


def _outlines(parts: Sequence[Dataset], geometry: Mapping[ViewName, Masks]) -> dict[ViewName, Outline]:
    found: dict[ViewName, Outline] = {}
    for item in items.named(parts, _OUTLINED):
        view = _SEEN_IN.read(item.ContentSequence)
        drawn = items.named(item.ContentSequence, _DRAWN)
        found[view] = _points(drawn[0], geometry[view]) if drawn else ()
    return found


def _points(item: Dataset, masks: Masks) -> Outline:
    return items.region_of(item, masks.shape, turned=masks.turned)
