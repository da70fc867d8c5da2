"""Judge whether a scan is good enough to be read, and what must not be said of it.

`assess` asks one question after the other. Each answer is a `QualityCheck` with
what was measured, what is expected and who says so; a check that cannot be made is *unknown*, never passed.

Limits marked (guideline) are published; those marked (design) are bonescan's own, chosen where the guideline is
silent, and are told in docs/rooms/quality-and-burden.md.

References
----------
Van den Wyngaert T et al. The EANM practice guidelines for bone scintigraphy. Eur J Nucl Med Mol Imaging
2016;43:1723, doi:10.1007/s00259-016-3415-4.
Anand A et al. Analytic validation of the automated Bone Scan Index. J Nucl Med 2016;57:41,
doi:10.2967/jnumed.115.160085 (error of the index against counts).
Royal College of Radiologists, audit template for bone scintigraphy (coverage).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from bonescan.anatomy import REGION_NAMES, bone, mass_table
from bonescan.measurement import Measurement
from bonescan.reading.measures import disturbance
from bonescan.reading.model import Finding, LabelledView, Labels, Quality, QualityCheck, Verdict
from bonescan.scan import Scan, View

__all__ = ["assess"]

Pair = tuple[View, LabelledView]

EANM = "doi:10.1007/s00259-016-3415-4"
ANAND = "doi:10.2967/jnumed.115.160085"
RCR = "Royal College of Radiologists, audit template for bone scintigraphy"
DESIGN = "bonescan's own limit"

ENOUGH_COUNTS, INDEX_COUNTS, FEWEST_COUNTS = 1.5e6, 1.0e6, 0.5e6
FEWEST_COUNTS_WITH_NETWORK = 0.2e6
"""[C] 24 simulated people with metastases: the index at 0.5 and 0.2 million counts differs by 0.10 % in the mean from
that at 1.5 million, and errs as much (0.52, 0.53 and 0.52 %). Fewer counts were not tried."""
ENOUGH_SPOT_COUNTS = 0.3e6
COUNTS_TOLERANCE = 0.01
"""How far below 1.5 million still meets it: the guideline's figure has two digits."""
COUNTS_FACTOR_SD = 0.6
"""Relative standard deviation of a number of counts estimated from the noise (a factor of 2)."""
RAW_COUNTS_PER_VALUE = 0.5
"""Where a pixel value stands for fewer counts by its noise, it is no raw count, whatever the file claims."""
EXPECTED_REGIONS = frozenset((*range(1, 13), 15))
AXIAL_REGIONS = frozenset(range(1, 13))
INTERVAL_H, TOO_EARLY_H, TOO_LATE_H = (2.0, 5.0), 1.0, 24.0
FASTEST_CM_PER_MIN = 15.0
PEAK_KEV, WINDOW_PERCENT, OFFSET_PERCENT = 140.5, (14.0, 21.0), 3.0
STATURE_M, STATURE_TOLERANCE = (1.2, 2.2), 0.12
ASPECT = (0.85, 1.18)
VERTEX_TO_SOLE_MM, VERTEX_TO_ISCHIUM_MM, SKIN_MM = 1708.0, 884.0, 15.0  # default skeleton; scalp and heel pad
STRETCH_PERCENT, SHIFT_MM = 6.0, 20.0
INFILTRATED_PERCENT = 1.0
LOW_CONTRAST = 5.0
HIDDEN_PERCENT = 10.0


def assess(scan: Scan, labels: Labels, findings: Iterable[Finding] = (), *, with_network: bool = False) -> Quality:
    """Check counts, coverage, timing, geometry and artefacts of a scan.

    Parameters
    ----------
    scan : Scan
    labels : Labels
        Of the same scan, one labelled view for every view.
    findings : iterable of Finding
        Of the same scan: the bladder is measured where it was found.
    with_network : bool
        Whether the index rests on a network's map, which bears fewer counts.

    Returns
    -------
    Quality
        Always the same questions in the same order, those about one view once for each view.

    Raises
    ------
    GeometryMismatch
        When the labels are not those of the scan's views.
    """
    pairs = labels.paired_with(scan)
    return Quality(
        checks=(
            *(_counts(view, labelled, scan.whole_body, with_network) for view, labelled in pairs),
            _coverage(labels),
            _both_views(scan),
            _interval(scan),
            *(_velocity(view) for view in scan.views),
            *(_window(view) for view in scan.views),
            _pixel_size(scan, pairs),
            *_between_views(pairs),
            *(_motion(view, labelled) for view, labelled in pairs),
            *(_clipping(view) for view in scan.views),
            _injection(pairs),
            _soft_tissue(pairs),
            _bladder(pairs, findings),
        )
    )


def _found(value: float, unit: str, method: str, source: str, uncertainty: float | None = None) -> Measurement:
    return Measurement(value=float(value), unit=unit, uncertainty=uncertainty, method=method, source=source)


def _unknown(unit: str, method: str, source: str, reason: str) -> Measurement:
    return Measurement(value=None, unit=unit, method=method, source=source, absent_reason=reason)


def _counts(view: View, labelled: LabelledView, whole_body: bool, with_network: bool) -> QualityCheck:
    """(guideline) 1.5 million a whole-body view, 0.3 million a spot view; (design) an index from 1.0 or 0.2 million."""
    code, question = f"quality.counts.{view.name}", f"Enough counts in the {view.name} view?"
    per_value = disturbance.counts_per_value(view, labelled)
    if not view.counts_are_raw or (per_value is not None and per_value < RAW_COUNTS_PER_VALUE):
        return _estimated_counts(view, per_value, code, question)
    measured = _found(
        view.total_counts, "{counts}", "sum of the pixels", f"{EANM}; {ANAND}", math.sqrt(view.total_counts)
    )
    millions = f"{view.total_counts / 1e6:.3f} million counts in the {view.name} view"
    if not whole_body:
        enough = view.total_counts >= ENOUGH_SPOT_COUNTS
        text = f"{millions}; a spot view should have 0.3 million or more (EANM)."
        return QualityCheck(
            code=code, question=question, verdict=Verdict.PASS if enough else Verdict.WARN, measured=measured, text=text
        )
    if view.total_counts >= ENOUGH_COUNTS:
        verdict, text = Verdict.PASS, f"{millions}; at least 1.5 million are advised (EANM)."
    elif view.total_counts >= (1 - COUNTS_TOLERANCE) * ENOUGH_COUNTS:
        verdict, text = Verdict.PASS, f"{millions}; this meets the 1.5 million that are advised (EANM) within 1 %."
    elif view.total_counts >= INDEX_COUNTS:
        verdict = Verdict.WARN
        text = f"{millions}; at least 1.5 million are advised (EANM), small or faint lesions may be missed."
    elif with_network and view.total_counts >= (1 - COUNTS_TOLERANCE) * FEWEST_COUNTS_WITH_NETWORK:
        verdict = Verdict.WARN
        text = (
            f"{millions}: faint lesions are missed. The Bone Scan Index of simulated scans hardly changed down to 0.2 "
            "million; of patients' scans this is not known."
        )
    elif view.total_counts >= FEWEST_COUNTS:
        verdict = Verdict.WITHHOLD
        text = f"{millions}: too few for a Bone Scan Index, which errs by half a percent at 0.5 million (Anand 2016)."
    else:
        verdict = Verdict.WITHHOLD
        text = (
            f"{millions}: far too few. The Bone Scan Index is not given (it errs by several percent at 0.2 million, "
            "Anand 2016), and spots may be noise."
        )
    return QualityCheck(code=code, question=question, verdict=verdict, measured=measured, text=text)


def _estimated_counts(view: View, per_value: float | None, code: str, question: str) -> QualityCheck:
    method = "pixel sum over the gain that the noise shows (variance to mean of 3 x 3 pixels)"
    text = f"The {view.name} view's pixels are not detected counts, so that their number is not known"
    if view.counts_are_raw:
        text = (
            f"The {view.name} view's pixels vary more than counts can: they were scaled, and the counts are not known"
        )
    if per_value is None:
        return QualityCheck(
            code=code,
            question=question,
            verdict=Verdict.UNKNOWN,
            measured=_unknown("{counts}", method, DESIGN, "The picture is too small or too smooth to show its noise."),
            text=f"{text}, and the noise does not tell.",
        )
    counts = view.total_counts * per_value
    return QualityCheck(
        code=code,
        question=question,
        verdict=Verdict.UNKNOWN,
        measured=_found(counts, "{counts}", method, DESIGN, COUNTS_FACTOR_SD * counts),
        text=f"{text}; the noise is that of roughly {counts / 1e6:.1f} million (within a factor of 2). "
        "At least 1.5 million are advised (EANM).",
    )


def _coverage(labels: Labels) -> QualityCheck:
    """(guideline, RCR) skull to knees; (design) no index with less than half of regions 1 to 12 in view, by mass."""
    table = mass_table()
    mass = dict.fromkeys(REGION_NAMES, 0.0)
    for bone_id, percent in table.share_percent.items():
        if (region := bone(bone_id).region) in mass:
            mass[region] += percent
    axial = sum(mass[region] for region in AXIAL_REGIONS)
    seen = sum(mass[region] for region in AXIAL_REGIONS & labels.regions_in_view)
    in_view = sum(mass[region] for region in labels.regions_in_view if region in mass)
    missing = [REGION_NAMES[region] for region in sorted(EXPECTED_REGIONS - labels.regions_in_view)]
    text = f"In view: bones of {in_view:.0f} % of skeletal mass."
    if not missing:
        verdict, text = Verdict.PASS, f"{text} Skull to knees are covered (RCR)."
    else:
        verdict = Verdict.WITHHOLD if seen < axial / 2 else Verdict.WARN
        text = f"{text} Not in view: {', '.join(missing)}; a whole-body scan shows skull to knees (RCR)."
        if verdict is Verdict.WITHHOLD:
            text += " A Bone Scan Index of so small a part is not given."
    return QualityCheck(
        code="quality.coverage",
        question="Is the body from skull to knees in view?",
        verdict=verdict,
        measured=_found(in_view, "%", f"share of skeletal mass in view, {table.name}", RCR),
        text=text,
    )


def _both_views(scan: Scan) -> QualityCheck:
    """(guideline) anterior and posterior."""
    number = len(scan.views)
    text = "Anterior and posterior views are there."
    if number < 2:
        hidden = "spine, sacrum and ribs' backs" if scan.views[0].name == "anterior" else "sternum and ribs' fronts"
        text = f"Only the {scan.views[0].name} view is there (EANM asks for both): lesions of {hidden} may be hidden."
    return QualityCheck(
        code="quality.views",
        question="Are both views there?",
        verdict=Verdict.PASS if number == 2 else Verdict.WARN,
        measured=_found(number, "1", "number of views", EANM),
        text=text,
    )


def _interval(scan: Scan) -> QualityCheck:
    """(guideline) 2 to 5 h; (design) no index before 1 h, when the picture still shows blood more than bone."""
    code, question = "quality.interval", "Imaged 2 to 5 hours after injection?"
    method = "time of acquisition less time of injection"
    delay = scan.delay_h
    if delay is None:
        return QualityCheck(
            code=code,
            question=question,
            verdict=Verdict.UNKNOWN,
            measured=_unknown("h", method, EANM, "The file lacks the time of injection or of acquisition."),
            text="The file does not say when the tracer was injected or when the scan was made; 2 to 5 h are advised "
            "(EANM).",
        )
    low, high = INTERVAL_H
    measured = _found(delay, "h", method, EANM)
    if low <= delay <= high:
        verdict, text = Verdict.PASS, f"Imaged {delay:.1f} h after injection; 2 to 5 h are advised (EANM)."
    elif delay < 0 or delay > TOO_LATE_H:
        verdict = Verdict.WARN
        text = f"The file's times put the scan {delay:.1f} h after injection, which cannot be: check the clocks."
    elif delay < TOO_EARLY_H:
        verdict = Verdict.WITHHOLD
        text = (
            f"Imaged {delay:.1f} h after injection: an early phase, which shows blood more than bone; "
            "no Bone Scan Index is given."
        )
    else:
        verdict = Verdict.WARN
        effect = "soft tissue is brighter" if delay < low else "counts are fewer and soft tissue is fainter"
        text = f"Imaged {delay:.1f} h after injection; 2 to 5 h are advised (EANM): {effect} than usual."
    return QualityCheck(code=code, question=question, verdict=verdict, measured=measured, text=text)


def _velocity(view: View) -> QualityCheck:
    """(guideline) 10 to 15 cm/min; slower only gains counts."""
    code, question = f"quality.scan_velocity.{view.name}", f"Was the {view.name} view scanned slowly enough?"
    method = "scan velocity the file states"
    if view.scan_velocity_mm_per_s is None or view.scan_velocity_mm_per_s <= 0:
        return QualityCheck(
            code=code,
            question=question,
            verdict=Verdict.UNKNOWN,
            measured=_unknown("cm/min", method, EANM, "The file does not state it."),
            text="The file does not state the scan velocity; 10 to 15 cm/min are usual.",
        )
    velocity = view.scan_velocity_mm_per_s * 6
    fast = velocity > FASTEST_CM_PER_MIN * 1.02
    text = f"Scanned at {velocity:.1f} cm/min; 10 to 15 cm/min are usual"
    return QualityCheck(
        code=code,
        question=question,
        verdict=Verdict.WARN if fast else Verdict.PASS,
        measured=_found(velocity, "cm/min", method, EANM),
        text=f"{text}: faint lesions may be missed, and the index is less repeatable (Anand 2016)."
        if fast
        else f"{text}.",
    )


def _window(view: View) -> QualityCheck:
    """(guideline) 140 keV, 15 or 20 % wide, centred."""
    code, question = f"quality.energy_window.{view.name}", f"Is the {view.name} view of the 140 keV photopeak?"
    method = "width of the energy window over 140.5 keV"
    if view.energy_window_kev is None:
        return QualityCheck(
            code=code,
            question=question,
            verdict=Verdict.UNKNOWN,
            measured=_unknown("%", method, EANM, "The file does not state it."),
            text="The file does not state the energy window; 140 keV, 15 to 20 % wide, is advised (EANM).",
        )
    low, high = view.energy_window_kev
    width = 100 * (high - low) / PEAK_KEV
    offset = 100 * ((high + low) / 2 - PEAK_KEV) / PEAK_KEV
    told = f"Energy window {low:.1f} to {high:.1f} keV ({width:.0f} %)"
    if not low <= PEAK_KEV <= high:
        verdict = Verdict.WITHHOLD
        text = f"{told} leaves out technetium-99m's 140.5 keV: a scatter window or another nuclide; no index is given."
    elif not WINDOW_PERCENT[0] <= width <= WINDOW_PERCENT[1] or abs(offset) > OFFSET_PERCENT:
        verdict, text = Verdict.WARN, f"{told}; 15 to 20 % centred on 140 keV is advised (EANM)."
    else:
        verdict, text = Verdict.PASS, f"{told}, as advised (EANM)."
    return QualityCheck(
        code=code, question=question, verdict=verdict, measured=_found(width, "%", method, EANM), text=text
    )


def _pixel_size(scan: Scan, pairs: Sequence[Pair]) -> QualityCheck:
    """(design) the fitted body must be 1.2 to 2.2 m tall, agree with the stated stature, and be naturally wide."""
    code, question = "quality.pixel_size", "Can the stated pixel size be true?"
    method = "stature of the fitted skeleton by the stated row spacing"
    statures = [stature for pair in pairs if (stature := _stature_m(*pair)) is not None]
    if not statures or not all(view.spacing_known for view in scan.views):
        known = all(view.spacing_known for view in scan.views)
        reason = "Skull and pelvis are not both in view." if known else "The file does not give it."
        return QualityCheck(
            code=code,
            question=question,
            verdict=Verdict.UNKNOWN,
            measured=_unknown("m", method, DESIGN, reason),
            text=f"The pixel size cannot be checked. {reason}",
        )
    stature = sum(statures) / len(statures)
    aspects = [
        across / view.column_spacing_mm * view.row_spacing_mm / along
        for view, labelled in pairs
        for along, across in [labelled.pixel_mm]
    ]
    aspect = sum(aspects) / len(aspects)
    verdict = Verdict.WARN
    if not STATURE_M[0] <= stature <= STATURE_M[1]:
        text = (
            f"By the stated pixel size this person would be {stature:.2f} m tall: lengths and areas cannot be trusted."
        )
    elif scan.patient.stature_m and abs(stature / scan.patient.stature_m - 1) > STATURE_TOLERANCE:
        text = (
            f"By the stated pixel size this person is {stature:.2f} m tall, by the record "
            f"{scan.patient.stature_m:.2f} m: lengths and areas cannot be trusted."
        )
    elif not ASPECT[0] <= aspect <= ASPECT[1]:
        text = f"Columns measure {aspect:.2f} times what rows do: the picture was stretched, areas cannot be trusted."
    else:
        verdict, text = Verdict.PASS, f"By the stated pixel size this person is {stature:.2f} m tall, as people are."
    return QualityCheck(
        code=code, question=question, verdict=verdict, measured=_found(stature, "m", method, DESIGN), text=text
    )


def _stature_m(view: View, labelled: LabelledView) -> float | None:
    """Rows from the vertex to the heels, or to the ischia with the default skeleton's proportion, in the file's mm."""
    heights: dict[str, list[float]] = {}
    for one in labelled.bones:
        part = next((p for p in ("skull", "hip_bone", "tarsal_calcaneus") if one.bone.startswith(p)), None)
        shown = one.thickness_mm > 0
        if part is None or not shown.any():
            continue
        z = labelled.z_mm[one.box][shown]
        at_edge = one.box[0].stop >= labelled.regions.shape[0] and bool(shown[-1].any())
        if part == "skull" and one.row > 0:
            heights.setdefault(part, []).append(float(z.max()))
        elif part != "skull" and not at_edge:
            heights.setdefault(part, []).append(float(z.min()))
    if "skull" not in heights:
        return None
    top = max(heights["skull"])
    along, _ = labelled.pixel_mm
    if "tarsal_calcaneus" in heights:
        length = top - min(heights["tarsal_calcaneus"])
    elif "hip_bone" in heights:
        length = (top - min(heights["hip_bone"])) * VERTEX_TO_SOLE_MM / VERTEX_TO_ISCHIUM_MM
    else:
        return None
    return (length + SKIN_MM) / along * view.row_spacing_mm / 1000


def _between_views(pairs: Sequence[Pair]) -> Iterator[QualityCheck]:
    """(design) both heads see one body on one bed: same scale, and every part at the same place."""
    if len(pairs) < 2:
        return
    front, back = pairs
    stretch = front[1].pixel_mm[0] / back[1].pixel_mm[0]
    stretch *= back[0].row_spacing_mm / front[0].row_spacing_mm
    percent = 100 * (max(stretch, 1 / stretch) - 1)
    stretched = percent > STRETCH_PERCENT
    yield QualityCheck(
        code="quality.stretch",
        question="Do both views have one scale?",
        verdict=Verdict.WARN if stretched else Verdict.PASS,
        measured=_found(percent, "%", "row scale of the fitted skeleton, one view over the other", DESIGN),
        text=f"One view is stretched by {percent:.0f} % along the body against the other: they were resized unequally."
        if stretched
        else f"The views' scales along the body agree within {max(percent, 1):.0f} %.",
    )
    method = "displacement of head, arms and legs between the views, fitted frame"
    shifts = disturbance.shift_between_views(front, back)
    if not shifts:
        yield QualityCheck(
            code="quality.motion.between_views",
            question="Did the patient keep still between the views?",
            verdict=Verdict.UNKNOWN,
            measured=_unknown("mm", method, DESIGN, "No limb is shown alike by both views."),
            text="Motion between the views cannot be judged: neither head nor limbs look alike in both.",
        )
        return
    part = max(shifts, key=lambda name: math.hypot(*shifts[name]))
    distance = math.hypot(*shifts[part])
    moved = [name for name, shift in shifts.items() if math.hypot(*shift) > SHIFT_MM]
    yield QualityCheck(
        code="quality.motion.between_views",
        question="Did the patient keep still between the views?",
        verdict=Verdict.WARN if moved else Verdict.PASS,
        measured=_found(distance, "mm", method, DESIGN, 3.0),
        text=f"Moved between the views: {', '.join(moved)}, by up to {distance:.0f} mm; one lesion may count twice "
        "there."
        if moved
        else f"Head, arms and legs lie at the same place in both views within {max(distance, 6):.0f} mm.",
    )


def _motion(view: View, labelled: LabelledView) -> QualityCheck:
    """(design) a sideways step between neighbouring rows."""
    jump = disturbance.lateral_jump(view, labelled)
    method = "largest sideways step between neighbouring rows"
    return QualityCheck(
        code=f"quality.motion.{view.name}",
        question=f"Did the patient keep still during the {view.name} view?",
        verdict=Verdict.PASS if jump is None else Verdict.WARN,
        measured=_found(0.0 if jump is None else abs(jump.shift_mm), "mm", method, DESIGN),
        text=f"No sideways step of the body in the {view.name} view."
        if jump is None
        else f"The body steps {abs(jump.shift_mm):.0f} mm sideways at row {jump.row} of the {view.name} view: "
        "the patient moved during the scan.",
    )


def _clipping(view: View) -> QualityCheck:
    """(design) any saturated or wrapped pixel is worth a warning: the hottest places are wrong."""
    clipped = disturbance.clipping(view)
    number = clipped.saturated_pixels + clipped.wrapped_pixels
    said = []
    if clipped.saturated_pixels:
        said.append(
            f"{clipped.saturated_pixels} pixels stand at the largest number a pixel can hold ({clipped.ceiling:.0f})"
        )
    if clipped.wrapped_pixels:
        said.append(
            f"{clipped.wrapped_pixels} pixels inside hot places wrapped round to low values (a pale hole that is truly "
            "hottest)"
        )
    text = f"No pixel of the {view.name} view is saturated."
    if said:
        text = f"In the {view.name} view {' and '.join(said)}: uptake is understated there."
    return QualityCheck(
        code=f"quality.clipping.{view.name}",
        question=f"Does every pixel of the {view.name} view show its counts?",
        verdict=Verdict.WARN if number else Verdict.PASS,
        measured=_found(number, "{pixels}", "pixels saturated or wrapped", DESIGN),
        text=text,
    )


def _injection(pairs: Sequence[Pair]) -> QualityCheck:
    """(design) infiltrated above 1 % of the counts; EANM Table 5 names injection artefacts as a source of error."""
    code, question = "quality.injection", "Was the injection clean?"
    method = "share of all counts in the brightest one-sided place of the arms"
    if not any(one.bone.startswith(("radius", "ulna")) for _, labelled in pairs for one in labelled.bones):
        return QualityCheck(
            code=code,
            question=question,
            verdict=Verdict.UNKNOWN,
            measured=_unknown("%", method, EANM, "The forearms are not in view."),
            text="The forearms are not in view: an infiltrated injection cannot be excluded.",
        )
    sites = [site for pair in pairs if (site := disturbance.injection_site(*pair)) is not None]
    if not sites:
        return QualityCheck(
            code=code,
            question=question,
            verdict=Verdict.PASS,
            measured=_found(0.0, "%", method, EANM),
            text="No bright one-sided place in the arms.",
        )
    site = max(sites, key=lambda one: one.share_percent)
    infiltrated = site.share_percent >= INFILTRATED_PERCENT
    place = f"A bright place at the {site.side} arm or hand holds {site.share_percent:.1f} % of all counts"
    return QualityCheck(
        code=code,
        question=question,
        verdict=Verdict.WARN if infiltrated else Verdict.PASS,
        measured=_found(site.share_percent, "%", method, EANM),
        text=f"{place}: probably tracer beside the vein. Less of it reached the bones, and a node upstream may show."
        if infiltrated
        else f"{place}: probably the injection site.",
    )


def _soft_tissue(pairs: Sequence[Pair]) -> QualityCheck:
    """(design) lumbar spine at least five times the thighs' soft tissue, in the better view; none is published."""
    code, question = "quality.soft_tissue", "Is the soft tissue faint enough?"
    method = "lumbar spine over the thighs' soft tissue, counts per pixel"
    ratios = [ratio for pair in pairs if (ratio := disturbance.soft_tissue_contrast(*pair)) is not None]
    if not ratios:
        return QualityCheck(
            code=code,
            question=question,
            verdict=Verdict.UNKNOWN,
            measured=_unknown("1", method, DESIGN, "Lumbar spine and thighs are not both in view."),
            text="Soft tissue cannot be judged: lumbar spine and thighs are not both in view.",
        )
    ratio = max(ratios)
    raw = all(view.counts_are_raw for view, _ in pairs)
    shown = f"The lumbar spine shows {ratio:.1f} times the thighs' soft tissue"
    if ratio < LOW_CONTRAST:
        verdict = Verdict.WARN
        text = (
            f"{shown}, less than 5: large body, imaged early, little fluid, poor kidneys or poor tracer; "
            "faint lesions may be hidden."
        )
    elif raw:
        verdict, text = Verdict.PASS, f"{shown}."
    else:
        verdict = Verdict.UNKNOWN
        text = f"{shown}, but exports often cut low values: soft tissue may be brighter than it looks."
    return QualityCheck(
        code=code, question=question, verdict=verdict, measured=_found(ratio, "1", method, DESIGN), text=text
    )


def _bladder(pairs: Sequence[Pair], findings: Iterable[Finding]) -> QualityCheck:
    """(guideline) void before imaging; (design) warned of when it covers a tenth of pelvis and sacrum."""
    code, question = "quality.bladder", "Was the bladder empty?"
    method = "part of hip bones and sacrum behind or before the bladder"
    shown = [one.views for one in findings if one.is_bladder]
    found = []
    for view, labelled in pairs:
        outline = next((views[view.name].mask for views in shown if view.name in views), None)
        found += [] if (one := disturbance.bladder(view, labelled, outline)) is None else [one]
    if not found:
        return QualityCheck(
            code=code,
            question=question,
            verdict=Verdict.UNKNOWN,
            measured=_unknown("%", method, EANM, "The pelvis is not in view."),
            text="The bladder cannot be judged: the pelvis is not in view.",
        )
    if not any(one.counts_percent for one in found):
        return QualityCheck(
            code=code,
            question=question,
            verdict=Verdict.PASS,
            measured=_found(0.0, "%", method, EANM),
            text="The bladder does not stand out.",
        )
    fullest = max(found, key=lambda one: one.hidden_percent)
    hides = fullest.hidden_percent >= HIDDEN_PERCENT
    share = f"{_digits(fullest.counts_percent)} % of the counts"
    hidden = f"{_digits(fullest.hidden_percent)} % of the bones of the pelvis"
    text = f"The bladder holds {share} and covers {hidden}"
    return QualityCheck(
        code=code,
        question=question,
        verdict=Verdict.WARN if hides else Verdict.PASS,
        measured=_found(fullest.hidden_percent, "%", method, EANM),
        text=f"{text}: lesions of pubis and sacrum may be hidden (EANM: void just before imaging)."
        if hides
        else f"{text}.",
    )


def _digits(percent: float) -> str:
    """Two digits, so that little is not told as nothing."""
    return f"{percent:.0f}" if percent >= 9.95 else f"{percent:.1f}"
