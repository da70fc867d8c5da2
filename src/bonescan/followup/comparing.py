"""Compare two readings of one person: align, subtract, match, measure."""

from __future__ import annotations

from collections.abc import Callable

from bonescan.followup.alignment import WINDOWS_MM, align
from bonescan.followup.change import INDEX_REPEATABILITY_PERCENT, change_of, index_change, lesion_changes
from bonescan.followup.comparability import comparability
from bonescan.followup.matching import NEW_RATIO, NEW_SD, match
from bonescan.followup.model import Comparison, Study
from bonescan.followup.subtraction import subtract
from bonescan.followup.together import Together, decide_together
from bonescan.reading.model import Reading

__all__ = ["compare"]

METHOD = {
    "alignment": "bones of one jointed skeleton by segment, then a smooth warp of the pictures "
    f"({WINDOWS_MM[-1]:g} mm windows)",
    "difference": "scaled by the median over normal bones; Poisson noise, natural variation and placement",
    "lesions": "joined by place; new or vanished only where the difference pictures show it "
    f"({NEW_SD:g} sd and {NEW_RATIO:g} times)",
    "index": "change with every lesion decided once for both scans; "
    f"repeatability {INDEX_REPEATABILITY_PERCENT:.2f} absolute (Anand 2016), doublings (Armstrong 2018)",
}


def compare(
    prior: Reading | Study, current: Reading | Study, *, progress: Callable[[str], None] = lambda _: None
) -> Comparison:
    """What changed between two scans of one person.

    Parameters
    ----------
    prior, current : Reading or Study
        A bare reading is dated as its scan is.
    progress : callable
        Told in words what is being done.

    Returns
    -------
    Comparison

    Raises
    ------
    InvalidValue
        When the scans have no view in common.
    """
    before, now = (one if isinstance(one, Study) else Study.of(one) for one in (prior, current))
    alike = comparability(before, now)
    progress("bringing both scans into one frame")
    alignment = align(before.reading, now.reading)
    progress("subtracting the prior scan")
    subtraction = subtract(before.reading, now.reading, alignment)
    progress("matching lesions")
    matches = match(before.reading, now.reading, alignment, subtraction)
    changes = lesion_changes(matches)
    burden, burden_now = before.reading.burden, now.reading.burden
    together = (
        decide_together(matches, burden, burden_now)
        if alignment.trusted
        else Together(
            index=(burden.bone_scan_index_percent, burden_now.bone_scan_index_percent),
            area=(burden.lesion_area_mm2, burden_now.lesion_area_mm2),
        )
    )
    return Comparison(
        prior=before,
        current=now,
        alignment=alignment,
        difference=subtraction.views,
        lesions=tuple(one for one in changes if one.prior or one.current),
        unmarked=tuple(one for one in changes if not (one.prior or one.current)),
        bone_scan_index=index_change(burden, burden_now, alike, together.index),
        lesion_area=change_of(*together.area, method="area of lesions"),
        comparability=alike,
        remarks=(*alignment.remarks, *subtraction.remarks),
        method=METHOD,
    )
