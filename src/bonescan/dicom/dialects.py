"""How makers of cameras depart from the standard's ideal, so that readers can be tried on it without a patient's file.

Habits seen in the headers of real files, of which no identity was kept; a dialect has several habits of its maker, not
all, and is no claim about any product.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from bonescan.dicom.modules import code

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["Dialect", "speak"]


class Dialect(StrEnum):
    """Whose habits an object has."""

    STANDARD = "standard"
    GE = "ge"
    SIEMENS = "siemens"
    RESEARCH = "research"

    @property
    def writes_group_lengths(self) -> bool:
        """Whether every group begins with its length, retired since 2008."""
        return self is Dialect.GE


def speak(dataset: Dataset, dialect: Dialect) -> None:
    """Put an object that holds to the standard into a dialect.

    Parameters
    ----------
    dataset : pydicom.Dataset
        Is changed.
    dialect : Dialect
    """
    {Dialect.STANDARD: _standard, Dialect.GE: _ge, Dialect.SIEMENS: _siemens, Dialect.RESEARCH: _research}[dialect](
        dataset
    )


def _standard(dataset: Dataset) -> None:
    """Nothing to change."""


def _ge(dataset: Dataset) -> None:
    """Views only by start angle and a private list, no dose, old element habits."""
    names = [_short_name(item) for item in dataset.DetectorInformationSequence]
    for item in dataset.DetectorInformationSequence:
        _drop(item, "ViewCodeSequence")
    if all(names):
        block = dataset.private_block(0x0011, "GEMS_GENIE_1", create=True)
        block.add_new(0x12, "LO", names)
    block = dataset.private_block(0x0009, "GEMS_GENIE_1", create=True)
    block.add_new(0x40, "PN", dataset.PatientName)
    _no_dose(dataset, "C-163A8", "^99m^Technetium")
    dataset.InstanceNumber = None
    dataset.BodyPartExamined, dataset.TriggerSourceOrType = "CHEST", "EKG"
    dataset.PatientGantryRelationshipCodeSequence = [code("F-10480", "feet-first", "99SDM")]
    dataset.Manufacturer = dataset.Manufacturer or "GE MEDICAL SYSTEMS"


def _siemens(dataset: Dataset) -> None:
    """Local view codes in French, no counts, no dose, the patient's position told twice."""
    local = {"ANT": "FACE ANT", "POST": "FACE POST"}
    for item in dataset.DetectorInformationSequence:
        name = _short_name(item)
        if name:
            item.ViewCodeSequence = [code(local[name], local[name], "99NMG")]
        item.ZoomFactor = ["2", "2"]
    _no_dose(dataset, "C-163A8", "Technétium 99m")
    dataset.CountsAccumulated = None
    dataset.PatientPosition = "FFS"
    dataset.PatientGantryRelationshipCodeSequence = [code("F-10480", "pieds en avant", "99SDM")]
    _drop(dataset, "BodyPartExamined")
    block = dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x10, "OB", bytes(64))
    dataset.Manufacturer = dataset.Manufacturer or "SIEMENS NM"


def _research(dataset: Dataset) -> None:
    """What is left after an export for research: values up to 255, views by local codes, no energies, no tracer."""
    local = {"ANT": "AN", "POST": "PO"}
    for item in dataset.DetectorInformationSequence:
        name = _short_name(item)
        if name:
            item.ViewCodeSequence = [code(local[name], local[name], "99LOCAL")]
            _drop(item, "StartAngle", "ImageOrientationPatient", "ImagePositionPatient")
    dataset.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    if dataset.NumberOfEnergyWindows == 1:
        dataset.EnergyWindowInformationSequence = []
    dataset.RadiopharmaceuticalInformationSequence = []
    dataset.PatientBirthDate, dataset.PatientAge = "00000101", "000Y"
    _drop(dataset, "CountsAccumulated", "ScanVelocity", "ScanLength", "Manufacturer", "ManufacturerModelName")
    dataset.PixelData = np.minimum(np.frombuffer(dataset.PixelData, "<u2"), 255).astype("<u2").tobytes()


def _short_name(item: Dataset) -> str:
    """``ANT`` or ``POST`` by the standard's view code; empty where there is none."""
    views = item.get("ViewCodeSequence") or []
    return {"399321004": "ANT", "399001007": "POST"}.get(views[0].CodeValue, "") if views else ""


def _no_dose(dataset: Dataset, value: str, meaning: str) -> None:
    for drug in dataset.RadiopharmaceuticalInformationSequence:
        drug.RadionuclideTotalDose = "0"
        _drop(drug, "RadiopharmaceuticalStartTime", "RadiopharmaceuticalStartDateTime")
        drug.RadionuclideCodeSequence = [code(value, meaning, "99SDM")]


def _drop(dataset: Dataset, *keywords: str) -> None:
    for keyword in keywords:
        if keyword in dataset:
            del dataset[keyword]
