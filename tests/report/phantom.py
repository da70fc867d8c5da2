"""A drawn phantom: readings made from the contracts alone, with counts that are Poisson of a known picture.

Nothing here is anatomy; it is a doll of ellipses with the right orientation,
so that what the report must show (sides, letters, coordinates) is known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.measurement import Measurement
from bonescan.reading.model import (
    BoneMap,
    Burden,
    Evidence,
    Familiarity,
    Finding,
    FindingView,
    Impression,
    Kind,
    LabelledView,
    Labels,
    Nature,
    Pattern,
    Polarity,
    Presence,
    Quality,
    QualityCheck,
    Reading,
    Verdict,
)
from bonescan.report import content
from bonescan.report.content import Shown
from bonescan.report.language import language
from bonescan.report.maps import finding_map
from bonescan.report.physician import PhysicianText
from bonescan.report.record import reading_record, record_bytes
from bonescan.scan import (
    Device,
    Injection,
    PatientFacts,
    Remark,
    Scan,
    Severity,
    Source,
    View,
    ViewName,
)

# bone, region, z and x of the centre (mm; x is the patient's left), half axes z and x (mm), counts per pixel
DOLL = (
    ("skull_frontal", 1, 1600, 0, 110, 75, 30),
    *((f"vertebra_c{n:02d}", 2, 1500 - 16 * n, 0, 7, 18, 34) for n in range(2, 8)),
    *((f"rib_{n:02d}_{side}", 4, 1400 - 28 * n, sign * 85, 6, 62, 26)
      for n in range(1, 11) for side, sign in (("l", 1), ("r", -1))),
    *((f"vertebra_t{n:02d}", 3, 1385 - 26 * n, 0, 11, 17, 42) for n in range(1, 13)),
    ("sternum_body", 5, 1270, 0, 75, 14, 30),
    ("clavicle_l", 6, 1400, 80, 7, 65, 28),
    ("clavicle_r", 6, 1400, -80, 7, 65, 28),
    ("scapula_l", 7, 1300, 130, 60, 26, 26),
    ("scapula_r", 7, 1300, -130, 60, 26, 26),
    ("humerus_l", 8, 1220, 190, 150, 14, 18),
    ("humerus_r", 8, 1220, -190, 150, 14, 18),
    *((f"vertebra_l{n:02d}", 9, 1070 - 34 * n, 0, 15, 22, 48) for n in range(1, 6)),
    ("sacrum", 10, 860, 0, 45, 36, 46),
    ("hip_bone_l", 11, 860, 85, 70, 48, 40),
    ("hip_bone_r", 11, 860, -85, 70, 48, 40),
    ("femur_l", 12, 620, 90, 200, 17, 20),
    ("femur_r", 12, 620, -90, 200, 17, 20),
    ("tibia_l", 16, 230, 85, 185, 13, 16),
    ("tibia_r", 16, 230, -85, 185, 13, 16),
)  # fmt: skip
TOP_MM, MIDDLE_COLUMN = 1740.0, 127.5
SHAPE = (1024, 256)


def body_coordinates(
    name: ViewName, shape: tuple[int, int], row_mm: float, column_mm: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return x and z (mm) of each pixel: anterior has the patient's right (negative x) on the left."""
    sign = 1.0 if name is ViewName.ANTERIOR else -1.0
    x = sign * (np.arange(shape[1]) - (shape[1] - 1) / 2) * column_mm
    z = TOP_MM - np.arange(shape[0]) * row_mm
    return np.broadcast_to(x, shape).astype(np.float32), np.broadcast_to(z[:, None], shape).astype(np.float32)


def phantom_view(
    name: ViewName,
    rng: np.random.Generator,
    *,
    spots: list[tuple[float, float, float, float]],
    shape: tuple[int, int] = SHAPE,
    row_mm: float = 1.7,
    column_mm: float = 1.7,
) -> tuple[View, LabelledView]:
    """Draw one view; a spot is (z, x, radius in mm, counts per pixel)."""
    x, z = body_coordinates(name, shape, row_mm, column_mm)
    body = (np.abs(x) / 175) ** 3 + (np.abs(z - 1250) / 330) ** 4 < 1
    body |= (np.abs(x) / 75) ** 2 + ((z - 1600) / 125) ** 2 < 1
    body |= (np.abs(np.abs(x) - 90) < 62) & (z < 980) & (z > 10)
    body |= (np.abs(np.abs(x) - 195) < 32) & (z < 1390) & (z > 700)
    mean = np.where(body, 6.0, 0.15)
    regions = np.zeros(shape, np.uint8)
    bones = []
    for bone, region, z0, x0, half_z, half_x, counts in DOLL:
        rows = np.flatnonzero(np.abs(z[:, 0] - z0) < half_z)
        columns = np.flatnonzero(np.abs(x[0] - x0) < half_x)
        if rows.size == 0 or columns.size == 0:
            continue
        crop = np.ix_(rows, columns)
        inside = 1 - ((z[crop] - z0) / half_z) ** 2 - ((x[crop] - x0) / half_x) ** 2
        bones.append(
            BoneMap(
                bone=bone,
                row=int(rows.min()),
                column=int(columns.min()),
                thickness_mm=(20 * np.sqrt(np.maximum(inside, 0))).astype(np.float32),
                depth_mm=60.0,
            )
        )
        shade = counts * np.sqrt(np.maximum(inside, 0.3))
        mean[crop] = np.where(inside > 0, np.maximum(mean[crop], shade), mean[crop])
        regions[crop] = np.where((inside > 0) & (regions[crop] == 0), region, regions[crop])
    for z0, x0, radius, counts in spots:
        along_z, along_x = (
            np.exp(-0.5 * ((axis - at) * 1.5 / radius) ** 2) for axis, at in ((z[:, 0], z0), (x[0], x0))
        )
        mean = np.maximum(mean, counts * np.outer(along_z, along_x))
    view = View(
        name=name,
        counts=rng.poisson(mean).astype(np.float32),
        row_spacing_mm=row_mm,
        column_spacing_mm=column_mm,
        identity_basis="ViewCodeSequence",
    )
    labelled = LabelledView(name=name, regions=regions, bones=tuple(bones), body=body, x_mm=x, z_mm=z, correlation=0.91)
    return view, labelled


def spot_in(view: View, labelled: LabelledView, z0: float, x0: float, radius: float) -> FindingView | None:
    """Outline a disc of the body, or nothing where the view does not hold it."""
    mask = (labelled.x_mm - x0) ** 2 + (labelled.z_mm - z0) ** 2 <= radius**2
    if mask.sum() < 4:
        return None
    rows, columns = np.nonzero(mask)
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    height, width = np.ptp(rows) / 2 + 0.5, np.ptp(columns) / 2 + 0.5
    outline = tuple((float(rows.mean() + height * np.sin(a)), float(columns.mean() + width * np.cos(a))) for a in angle)
    peak = np.unravel_index(np.argmax(np.where(mask, view.counts, -1)), mask.shape)
    return FindingView(
        outline=outline,
        mask=mask,
        peak_row=int(peak[0]),
        peak_column=int(peak[1]),
        peak_counts=float(view.counts[peak]),
        area_mm2=float(mask.sum() * view.row_spacing_mm * view.column_spacing_mm),
        uptake_ratio=3.1,
        significance=9.5,
    )


def letters(count: int) -> list[str]:
    """Return A, B, ... Z, AA, AB, ..."""
    return [("" if i < 26 else chr(64 + i // 26)) + chr(65 + i % 26) for i in range(count)]


def phantom_reading(
    *,
    findings: int = 8,
    views: tuple[ViewName, ...] = (ViewName.ANTERIOR, ViewName.POSTERIOR),
    shape: tuple[int, int] = SHAPE,
    row_mm: float = 1.7,
    column_mm: float = 1.7,
    patient: PatientFacts | None = None,
    seed: int = 7,
) -> Reading:
    """Make a whole reading: bone findings on doll bones, then kidneys, bladder and an injection site."""
    rng = np.random.default_rng(seed)
    sites = [("kidney_l", 1060.0, 75.0, 26.0, 60.0), ("kidney_r", 1050.0, -75.0, 26.0, 60.0),
             ("bladder", 790.0, 0.0, 30.0, 400.0), ("injection", 900.0, 200.0, 12.0, 300.0)]  # fmt: skip
    sites = sites[: max(0, min(4, findings - 1))]
    places: list[tuple[str, float, float, float, float]] = []
    for i in range(findings - len(sites)):
        bone, _, z0, x0, half_z, half_x, counts = DOLL[(7 * i + 3) % len(DOLL)]
        z, x = z0 + half_z * rng.uniform(-0.7, 0.7), x0 + half_x * rng.uniform(-0.7, 0.7)
        places.append((bone, z, x, float(rng.uniform(9, 18)), float(counts * rng.uniform(2.5, 6))))
    everything = places + sites
    drawn = [
        phantom_view(
            name, rng, spots=[spot[1:] for spot in everything], shape=shape, row_mm=row_mm, column_mm=column_mm
        )
        for name in views
    ]
    found = []
    for i, ((bone, z, x, radius, _), letter) in enumerate(zip(everything, letters(len(everything)), strict=True)):
        seen = {view.name: spot_in(view, labelled, z, x, radius) for view, labelled in drawn}
        if i % 4 == 1 and len(seen) == 2:
            seen[ViewName.POSTERIOR] = None
        kind = Kind.BONE if i < len(places) else Kind.ARTEFACT if bone == "injection" else Kind.PHYSIOLOGIC
        found.append(_finding(i + 1, letter, kind, bone, x, seen))
    found = [finding for finding in found if finding.views]
    scan = Scan(
        views=tuple(view for view, _ in drawn),
        patient=patient if patient is not None else FULL_PATIENT,
        injection=Injection(
            radiopharmaceutical="Tc-99m medronate",
            radionuclide="Tc-99m",
            activity_mbq=640.0,
            injected_at=datetime(2021, 3, 4, 9, 5),
        ),
        device=Device(manufacturer="Drawn", model="Doll 1"),
        acquired_at=datetime(2021, 3, 4, 12, 20),
        study_uid="1.2.826.0.1.3680043.2.1",
        study_description="Whole-body bone scan",
        sources=(Source(file_name="doll.dcm", sha256="ab" * 32, sop_instance_uid="1.2.3"),),
    )
    labels = Labels(
        views=tuple(labelled for _, labelled in drawn),
        trusted=True,
        regions_in_view=frozenset(range(1, 13)),
        parameters={"stature_mm": 1740.0, "spine_curvature_deg": 4.0},
    )
    counted = sum(finding.in_burden for finding in found)
    return Reading(
        scan=scan,
        labels=labels,
        quality=_quality(),
        findings=tuple(found),
        burden=_burden(counted),
        remarks=(
            Remark(code="dicom.interval", text="The interval since injection was taken from the series time."),
            Remark(code="reading.feet", text="The feet lie outside the field of view.", severity=Severity.WARNING),
        ),
        method={
            "labels": "Jointed skeleton fitted to both views.",
            "spots": "Matched filter, 4.5 standard deviations.",
        },
        versions={"bonescan": "0.1.0", "numpy": "2.0"},
    )


FULL_PATIENT = PatientFacts(
    name="Doe^Jane", patient_id="D-0017", birth_date=date(1950, 2, 1), sex="F", stature_m=1.66, weight_kg=71.0
)


def withheld(reading: Reading) -> Reading:
    """Return the reading with its Bone Scan Index withheld for too few counts."""
    why = "fewer than 0.5 million counts in the anterior view"
    check = replace(reading.quality.checks[0], verdict=Verdict.WITHHOLD)
    return replace(
        reading,
        quality=Quality(checks=(check, *reading.quality.checks[1:])),
        burden=replace(
            reading.burden,
            bone_scan_index_percent=Measurement(value=None, unit="%", method="Bone Scan Index", absent_reason=why),
            by_region={},
        ),
    )


def _finding(
    number: int, letter: str, kind: Kind, bone: str, x: float, seen: dict[ViewName, FindingView | None]
) -> Finding:
    is_bone = kind is Kind.BONE
    cold = is_bone and number % 9 == 0
    side = "midline" if abs(x) < 25 else "left" if x > 0 else "right"
    depth = (
        Measurement(value=62.0, unit="mm", uncertainty=11.0, method="ratio of the two views")
        if len([s for s in seen.values() if s]) == 2
        else Measurement(value=None, unit="mm", method="ratio of the two views", absent_reason="seen in one view only")
    )
    return Finding(
        id=number,
        letter=letter,
        kind=kind,
        polarity=Polarity.COLD if cold else Polarity.HOT,
        bone=bone if is_bone else "",
        side=side,
        place=f"{side} {bone.replace('_', ' ')}, lateral third",
        region=4 if is_bone else 0,
        views={name: view for name, view in seen.items() if view is not None},
        uptake_ratio=0.4 if cold else 3.1 + 1 / number,
        uptake_reference="normal bone of the same region",
        significance=-6.1 if cold else 30.0 / number + 5,
        depth_mm=depth,
        mass_share_percent=0.12 if is_bone else 0.0,
        in_burden=is_bone and not cold,
        likelihood=Measurement(
            value=None, unit="1", method="likelihood of metastasis", absent_reason="no calibrated model is available"
        ),
        reason="Focal uptake above normal bone." if is_bone else "Lies where urine collects.",
    )


def _quality() -> Quality:
    rows = (
        ("quality.counts.anterior", "Enough counts in the anterior view?", Verdict.PASS, 1.71e6, "{counts}",
         "1.71 million counts; at least 1.5 million are expected."),
        ("quality.interval", "Imaged 2 to 5 hours after injection?", Verdict.PASS, 3.25, "h",
         "3.25 h after injection."),
        ("quality.motion", "Do the views fit each other?", Verdict.WARN, 7.5, "mm",
         "The views are shifted by 7.5 mm; up to 5 mm is usual."),
    )  # fmt: skip
    checks = [
        QualityCheck(
            code=code, question=question, verdict=verdict, text=text,
            measured=Measurement(value=value, unit=unit, method=question),
        )
        for code, question, verdict, value, unit, text in rows
    ]  # fmt: skip
    unknown = QualityCheck(
        code="quality.saturation",
        question="Are pixels saturated?",
        verdict=Verdict.UNKNOWN,
        measured=Measurement(value=None, unit="{pixels}", method="saturation", absent_reason="bit depth not stated"),
        text="The file does not state its bit depth.",
    )
    return Quality(checks=(*checks, unknown))


def _burden(count: int) -> Burden:
    return Burden(
        bone_scan_index_percent=Measurement(
            value=1.84, unit="%", uncertainty=0.32, method="mass share times involved fraction, summed over bones"
        ),
        mass_table="Imbriaco-type dry bone, version 1",
        hot_spot_count=count,
        positive_area_percent=Measurement(value=2.6, unit="%", method="hot pixels over skeletal pixels"),
        lesion_area_mm2=Measurement(value=5310.0, unit="mm2", method="sum of outlines"),
        by_region={3: (0.9, 3), 4: (0.5, max(count - 4, 0)), 11: (0.44, 1)},
        not_in_view=("both feet", "right hand"),
    )


def concluded(reading: Reading) -> Reading:
    """Return the reading with an impression, familiarity, and natures of its first finding."""
    reasons = (
        Evidence(text="Several such foci.", weight=1.2, source="simulated people"),
        Evidence(text="Near a joint.", weight=-2.0, source="design"),
    )
    natures = {Nature.METASTATIC: 0.62, Nature.DEGENERATIVE: 0.3, Nature.TRAUMATIC: 0.05, Nature.PHYSIOLOGIC: 0.03}
    first = replace(reading.findings[0], natures=natures, evidence=reasons)
    pattern = Pattern(
        code="widespread_metastases",
        name="Widespread <bone> metastases",
        presence=Presence.PRESENT,
        evidence_for=(Evidence(text="12 clear foci.", weight=3.0, source="textbook"),),
        evidence_against=(Evidence(text="They lie in 1 region only.", weight=-1.5, source="design"),),
        findings=tuple(finding.id for finding in reading.findings[:3]),
        advice=("Compare.",),
        source="EANM 2016",
        uncertainty="Fractures also scatter foci.",
    )
    unjudged = replace(pattern, code="too_late", name="Imaged too late", presence=Presence.NOT_JUDGED)
    return replace(
        reading,
        findings=(first, *reading.findings[1:]),
        impression=Impression(
            sentences=("Many foci: most likely bone metastases.", "Kidneys & bladder are seen."),
            metastatic=Measurement(value=0.87, unit="1", uncertainty=0.05, method="logistic"),
            patterns=(pattern, unjudged),
            advice=("Compare with earlier scans.",),
            abstains=("Pubis under the bladder.",),
        ),
        familiarity=Familiarity(score=0.004, familiar=False, reasons=("The soft tissue is unusual.",)),
    )


WINDOWS = {ViewName.ANTERIOR: (1.0, 50.0), ViewName.POSTERIOR: (1.5, 60.0)}


def record_of(reading: Reading) -> dict[str, Any]:
    """Return the reading as its reading.json holds it."""
    maps = {view.name: finding_map(view, reading.findings) for view in reading.scan.views}
    return json.loads(record_bytes(reading_record(reading, maps)))


def report_content(
    reading: Reading,
    windows: Mapping[str, tuple[float, float]],
    code: str = "en",
    text: PhysicianText | None = None,
    *,
    cropped: bool = False,
) -> dict[str, Any]:
    """Return what the report of a reading says."""
    return content.report_content(record_of(reading), Shown(windows=windows, cropped=cropped), language(code), text)
