"""What a physician's edits do to a reading: changed findings measured and judged anew, burden and impression after.

::

    findings ─► edits, one after another, on outlines and words ─► what changed: measured, judged ─► burden, impression

The rules are the reader's own (`spots.outlined`, `natures.judge_outlined`, `burden.measure`, `impression.conclude`). A
finding that no edit touches stays as the reader left it. What a physician says of kind or nature is certain: it is not
weighed against the reader's probability but replaces it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from bonescan.errors import InvalidValue
from bonescan.reading.case import Case
from bonescan.reading.conclusion import impression
from bonescan.reading.edits import Change, Delete, Draw, Edit, Merge, Reshape, Split, edit_of, plain
from bonescan.reading.findings import detection, natures, spots
from bonescan.reading.measures import burden
from bonescan.reading.model import Author, Finding, Kind, LabelledView, Nature, Reading
from bonescan.reading.outlines import cut, filled
from bonescan.reading.tracking import numbered
from bonescan.scan import ViewName

__all__ = ["Change", "Delete", "Draw", "Edit", "Merge", "Reshape", "Split", "edit_of", "plain", "revise"]

Mask = NDArray[np.bool_]

OUTLINED = "Outlined by a physician."
METHOD = "outlines and judgements of a physician; measured, summed up and concluded from by the reader's rules"


@dataclass(slots=True, kw_only=True, eq=False)
class _Draft:
    """A finding between the edits: its pixels, what a physician says of it, and what the reader made of it.

    Parameters
    ----------
    masks : dict of ViewName to (row, column) ndarray of bool
    read : Finding or None
        The reader's, as long as its pixels are the same.
    was : Finding or None
        The reader's that it began as, for what an outline does not tell.
    kind, nature : Kind or None, Nature or None
        By a physician; ``None`` where the reader has the word.
    bone : str
        By a physician; empty where the labels have the word.
    """

    id: int
    masks: dict[ViewName, Mask]
    read: Finding | None = None
    was: Finding | None = None
    kind: Kind | None = None
    nature: Nature | None = None
    bone: str = ""


@dataclass(slots=True, kw_only=True, eq=False)
class _Table:
    """All findings between the edits."""

    views: Mapping[ViewName, LabelledView]
    drafts: dict[int, _Draft] = field(default_factory=dict)

    def of(self, number: int) -> _Draft:
        try:
            return self.drafts[number]
        except KeyError:
            raise InvalidValue(
                f"There is no finding {_name(number)} here; it may have been deleted or merged."
            ) from None

    def labelled(self, view: ViewName) -> LabelledView:
        try:
            return self.views[view]
        except KeyError:
            raise InvalidValue(f"This scan has no {view} view.") from None


def revise(case: Case, edits: Sequence[Edit]) -> Reading:
    """Make a physician's edits to a reading.

    Parameters
    ----------
    case : Case
        As the reader made it.
    edits : sequence of Edit
        In order.

    Returns
    -------
    Reading
        Without edits exactly the case's own. Its `Reading.revision` is left to the caller.

    Raises
    ------
    InvalidValue
        For an edit that cannot be made; ``facts["edit"]`` is its place in the list.
    """
    reading = case.reading
    if not edits:
        return reading
    table = _Table(views={view.name: view for view in reading.labels.views})
    for one in reading.findings:
        masks = {name: seen.mask for name, seen in one.views.items()}
        table.drafts[one.id] = _Draft(id=one.id, masks=masks, read=one, was=one)
    for place, edit in enumerate(numbered(edits, table.drafts)):
        try:
            _apply(edit, table)
        except InvalidValue as error:
            raise InvalidValue(str(error), **{**error.facts, "edit": place}) from error
    findings = _findings(case, table.drafts.values())
    scan, labels, checked, glance = reading.scan, reading.labels, reading.quality, case.glance
    summed = burden.measure(scan, labels, findings, checked, glance=glance)
    likelihood = natures.patient_likelihood(findings, with_network=glance is not None)
    return replace(
        reading,
        findings=findings,
        burden=summed,
        impression=impression.conclude(
            scan, labels, checked, findings, summed, glance, reading.familiarity, likelihood
        ),
        method={**reading.method, "revision": METHOD},
    )


# --- edits ---------------------------------------------------------------------------------------------------


def _apply(edit: Edit, table: _Table) -> None:
    match edit:
        case Draw():
            masks = {
                name: filled(outline, table.labelled(name).regions.shape) for name, outline in edit.outlines.items()
            }
            number = _new(edit)
            kind = edit.kind if edit.nature is not None or edit.kind is not Kind.BONE else None
            table.drafts[number] = _Draft(id=number, masks=masks, kind=kind, nature=edit.nature, bone=edit.bone)
        case Reshape():
            _reshape(edit, table)
        case Split():
            _split(edit, table)
        case Merge():
            _merge(edit, table)
        case Delete():
            table.of(edit.finding)
            del table.drafts[edit.finding]
        case Change():
            _change(edit, table.of(edit.finding))


def _new(edit: Draw | Split) -> int:
    """The number of the finding that an edit makes, which `numbered` has seen to."""
    assert edit.number is not None
    return edit.number


def _name(number: int) -> str:
    """What a finding is called in pictures and tables."""
    return spots.letter_of(number) or str(number)


def _reshape(edit: Reshape, table: _Table) -> None:
    draft, shape = table.of(edit.finding), table.labelled(edit.view).regions.shape
    masks = {name: mask for name, mask in draft.masks.items() if name != edit.view}
    if edit.outline:
        masks[edit.view] = filled(edit.outline, shape)
    elif edit.view not in draft.masks:
        raise InvalidValue(f"Finding {_name(edit.finding)} does not show in the {edit.view} view.")
    elif not masks:
        raise InvalidValue(f"Finding {_name(edit.finding)} shows in the {edit.view} view alone; delete it instead.")
    _redraw(draft, masks)


def _redraw(draft: _Draft, masks: dict[ViewName, Mask]) -> None:
    """Give a draft other pixels; where they are the reader's own, its own finding again."""
    draft.masks = masks
    own = draft.was
    draft.read = None
    if own is not None and own.id == draft.id and own.views.keys() == masks.keys():
        same = all(np.array_equal(own.views[name].mask, mask) for name, mask in masks.items())
        draft.read = own if same else None


def _split(edit: Split, table: _Table) -> None:
    draft, labelled = table.of(edit.finding), table.labelled(edit.view)
    if edit.view not in draft.masks:
        raise InvalidValue(f"Finding {_name(edit.finding)} does not show in the {edit.view} view.")
    try:
        larger, smaller = cut(draft.masks[edit.view], edit.line)
    except InvalidValue as error:
        raise InvalidValue(f"Finding {_name(edit.finding)} cannot be split there: {error}.") from error
    own, other = {edit.view: larger}, {edit.view: smaller}
    for name, mask in draft.masks.items():
        if name != edit.view:
            at = _middle(table.labelled(name), mask)
            apart = [np.hypot(*(at - _middle(labelled, part))) for part in (larger, smaller)]
            (own if apart[0] <= apart[1] else other)[name] = mask
    number = _new(edit)
    table.drafts[number] = _Draft(
        id=number, masks=other, was=draft.was, kind=draft.kind, nature=draft.nature, bone=draft.bone
    )
    _redraw(draft, own)


def _middle(labelled: LabelledView, mask: Mask) -> NDArray[np.float64]:
    return np.array([labelled.x_mm[mask].mean(dtype=np.float64), labelled.z_mm[mask].mean(dtype=np.float64)])


def _merge(edit: Merge, table: _Table) -> None:
    drafts = [table.of(number) for number in edit.findings]
    masks: dict[ViewName, Mask] = {}
    for name, labelled in table.views.items():
        pieces = [draft.masks[name] for draft in drafts if name in draft.masks]
        if pieces:
            whole = detection.joined(pieces, *labelled.pixel_mm)
            if whole is None:
                raise InvalidValue(
                    f"Findings {', '.join(map(_name, edit.findings))} lie too far apart in the {name} view to be one; "
                    "reshape one of them first."
                )
            masks[name] = whole
    first = drafts[0]
    first.kind = next((draft.kind for draft in drafts if draft.kind is not None), None)
    first.nature = next((draft.nature for draft in drafts if draft.nature is not None), None)
    for draft in drafts[1:]:
        del table.drafts[draft.id]
    _redraw(first, masks)


def _change(edit: Change, draft: _Draft) -> None:
    if edit.back:
        draft.kind, draft.nature = None, None
    if edit.kind is not None:
        draft.kind = edit.kind
        if edit.kind is not Kind.BONE:
            draft.nature = None
    if edit.nature is not None:
        draft.kind, draft.nature = Kind.BONE, edit.nature
    if edit.bone is not None:
        draft.bone = edit.bone


# --- what they come to -----------------------------------------------------------------------------------------


def _findings(case: Case, drafts: Iterable[_Draft]) -> tuple[Finding, ...]:
    """The drafts as findings, in the reader's order: bone first, the most significant first."""
    measured, anew = [], []
    for draft in drafts:
        finding, is_new = _measured(case, draft)
        nature = _certain(draft, finding)
        if nature is not None:
            finding = natures.judged_by_physician(finding, nature)
        elif is_new:
            anew.append(finding.id)
        measured.append(finding)
    reading = case.reading
    if anew:
        measured = list(natures.judge_outlined(measured, anew, reading.scan, reading.labels, case.glance))
    measured = list(spots.believed(measured, reading.labels))
    return tuple(sorted(measured, key=lambda one: (one.kind is not Kind.BONE, -abs(one.significance))))


def _measured(case: Case, draft: _Draft) -> tuple[Finding, bool]:
    """A draft as a finding before it is judged, and whether it is to be judged anew."""
    read, was = draft.read, draft.was
    kind = draft.kind or (was.kind if was is not None else Kind.BONE)
    if read is not None and kind is read.kind and draft.bone in ("", read.bone):
        return read, False
    finding = spots.outlined(
        draft.masks,
        case.ground,
        case.significance,
        number=draft.id,
        kind=kind,
        bone=draft.bone if kind is Kind.BONE else "",
        polarity=was.polarity if was is not None else None,
    )
    if was is not None and draft.kind is None and kind is not Kind.BONE:
        finding = replace(finding, place=was.place)  # an organ is no place of the skeleton
    if read is None:
        return replace(finding, reason=f"{OUTLINED} {finding.reason}".strip()), True
    # the outline is the reader's, and so is all that was measured within it; not what hangs on its kind and bone
    said = "Taken for bone by a physician." if kind is not read.kind else "Bone named by a physician."
    return replace(
        finding,
        views=read.views,
        uptake_ratio=read.uptake_ratio,
        significance=read.significance,
        drawn_by=Author.READER,
        reason=f"{said} {finding.reason}".strip(),
    ), True


def _certain(draft: _Draft, finding: Finding) -> Nature | None:
    """The nature that a physician gave a finding, by word or by kind; ``None`` where the reader judges."""
    if draft.nature is not None:
        return draft.nature
    if draft.kind in (None, Kind.BONE):
        return None
    return Nature.PHYSIOLOGIC if draft.kind is Kind.PHYSIOLOGIC else Nature.ARTEFACT
