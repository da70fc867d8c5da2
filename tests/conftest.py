"""What several tests need: a small, complete reading made of values alone."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from bonescan.measurement import Measurement
from bonescan.reading.model import (
    Burden,
    Finding,
    FindingView,
    Kind,
    LabelledView,
    Labels,
    Polarity,
    Quality,
    QualityCheck,
    Reading,
    Verdict,
)
from bonescan.scan import PatientFacts, Remark, Scan, Severity, Source, View, ViewName

SHAPE = (64, 16)


@pytest.fixture
def small_scan() -> Scan:
    """One posterior view of 64 x 16 pixels, 2 counts each: 2,048 counts, of a person with a name."""
    view = View(
        name=ViewName.POSTERIOR,
        counts=np.full(SHAPE, 2, np.float32),
        row_spacing_mm=30.0,
        column_spacing_mm=30.0,
        identity_basis="ViewCodeSequence",
    )
    return Scan(
        views=(view,),
        patient=PatientFacts(name="Surname^Given", patient_id="ID-4711", sex="F"),
        study_uid="1.2.3.4.5",
        sources=(Source(file_name="Surname_Given.dcm", sha256=hashlib.sha256(b"the file").hexdigest()),),
    )


@pytest.fixture
def small_reading(small_scan: Scan) -> Reading:
    """One hot spot in a rib, one kidney, an index of 1.25 +/- 0.5 percent and one warning."""
    mask = np.zeros(SHAPE, np.bool_)
    mask[20:23, 5:8] = True
    spot = FindingView(
        outline=((20.0, 5.0), (20.0, 7.0), (22.0, 7.0), (22.0, 5.0)),
        mask=mask,
        peak_row=21,
        peak_column=6,
        peak_counts=9.0,
        area_mm2=8100.0,
        uptake_ratio=3.0,
        significance=7.0,
    )
    absent = Measurement(value=None, unit="mm", method="depth", absent_reason="one view only")
    unknown = Measurement(value=None, unit="1", method="likelihood", absent_reason="no model")

    def finding(number: int, kind: Kind, place: str) -> Finding:
        return Finding(
            id=number,
            letter="AB"[number - 1],
            kind=kind,
            polarity=Polarity.HOT,
            bone="rib_07_l" if kind is Kind.BONE else "",
            side="left",
            place=place,
            region=4 if kind is Kind.BONE else 0,
            views={ViewName.POSTERIOR: spot},
            uptake_ratio=3.0,
            uptake_reference="ribs of this view",
            significance=7.0,
            depth_mm=absent,
            mass_share_percent=0.1 if kind is Kind.BONE else 0.0,
            in_burden=kind is Kind.BONE,
            likelihood=unknown,
            reason="stands out from the ribs" if kind is Kind.BONE else "lies over the kidney",
        )

    x_mm, z_mm = np.meshgrid(np.arange(SHAPE[1], dtype=np.float32), np.arange(SHAPE[0], dtype=np.float32))
    return Reading(
        scan=small_scan,
        labels=Labels(
            views=(
                LabelledView(
                    name=ViewName.POSTERIOR,
                    regions=np.full(SHAPE, 4, np.uint8),
                    bones=(),
                    body=np.ones(SHAPE, np.bool_),
                    x_mm=x_mm,
                    z_mm=z_mm,
                    correlation=0.9,
                ),
            ),
            trusted=True,
            regions_in_view=frozenset({4}),
        ),
        quality=Quality(
            checks=(
                QualityCheck(
                    code="quality.counts.posterior",
                    question="Enough counts in the posterior view?",
                    verdict=Verdict.WARN,
                    measured=Measurement(value=2048.0, unit="{counts}", method="sum of the pixels"),
                    text="2,048 counts; at least 1,500,000 are advised.",
                ),
            )
        ),
        findings=(finding(1, Kind.BONE, "left 7th rib"), finding(2, Kind.PHYSIOLOGIC, "left kidney")),
        burden=Burden(
            bone_scan_index_percent=Measurement(value=1.25, unit="%", uncertainty=0.5, method="Bone Scan Index"),
            mass_table="bsi 1",
            hot_spot_count=1,
            positive_area_percent=Measurement(value=0.9, unit="%", method="hot over skeletal pixels"),
            lesion_area_mm2=Measurement(value=8100.0, unit="mm2", method="sum of areas"),
            by_region={4: (1.25, 1)},
            not_in_view=("feet",),
        ),
        remarks=(
            Remark(code="dicom.view.code", text="The file names the view."),
            Remark(code="quality.counts", text="The view has few counts.", severity=Severity.WARNING),
        ),
        method={"spots": "matched filter"},
        versions={"bonescan": "0.1.0", "skeleton": "1"},
    )
