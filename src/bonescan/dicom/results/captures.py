"""What any viewer can show without knowing a segmentation: the overlay as a picture, and the report as a document."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bonescan.dicom import headers
from bonescan.dicom.results.codes import Code, dcm
from bonescan.dicom.results.heading import (
    DISCLAIMER,
    Series,
    begun,
    instance_item,
    part_of_body,
    reference_item,
    references,
)
from bonescan.dicom.results.sources import Sourced, SourceFrame
from bonescan.scan import ViewName

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["CAPTURE_STORAGE", "DOCUMENT_STORAGE", "capture", "document", "pixels_of", "plate"]

CAPTURE_STORAGE = "1.2.840.10008.5.1.4.1.1.7"
DOCUMENT_STORAGE = "1.2.840.10008.5.1.4.1.1.104.1"
_CAPTURES = Series("OT", CAPTURE_STORAGE, 9003, "bonescan overlays")
_PLATES = Series("OT", CAPTURE_STORAGE, 9003, "bonescan plates")
_DOCUMENTS = Series("DOC", DOCUMENT_STORAGE, 9004, "bonescan report")
_MADE_FROM = dcm("121322", "Source image for image processing operation")


def capture(frames: Sequence[SourceFrame], view: ViewName, picture: NDArray[np.uint8], number: int) -> Dataset:
    """A picture of a view with its findings as a Secondary Capture.

    Parameters
    ----------
    frames : sequence of SourceFrame
        Of the whole scan.
    view : ViewName
    picture : (row, column, 3) ndarray of uint8
        Red, green, blue; without anything that names the person.
    number : int
        Of the instance in its series.

    Returns
    -------
    pydicom.Dataset
        Without a SOPInstanceUID yet.
    """
    frame = next(one for one in frames if one.view is view)
    dataset = _captured(frames, _CAPTURES, picture, number, f"{str(view).capitalize()} view with findings.")
    part_of_body(dataset, frame.dataset)
    dataset.PatientOrientation = ["L" if view is ViewName.ANTERIOR else "R", "F"]
    dataset.DerivationDescription = "Counts in inverse grey with outlines and letters of findings; not for measuring"
    source = reference_item(frame)
    source.PurposeOfReferenceCodeSequence = [_MADE_FROM.item()]
    dataset.SourceImageSequence = [source]
    return dataset


def plate(sources: Sequence[Sourced], picture: NDArray[np.uint8], number: int, shows: str) -> Dataset:
    """A plate of several pictures, or a chart, as a Secondary Capture.

    Parameters
    ----------
    sources : sequence of SourceFrame or SourceObject
        What it was made from; the first one tells the person and the study.
    picture : (row, column, 3) ndarray of uint8
        Red, green, blue; without anything that names the person.
    number : int
        Of the instance in its series.
    shows : str
        What is to be seen, in a sentence.

    Returns
    -------
    pydicom.Dataset
        Without a SOPInstanceUID yet.
    """
    dataset = _captured(sources, _PLATES, picture, number, shows)
    part_of_body(dataset, sources[0].dataset)
    dataset.PatientOrientation = ""
    dataset.DerivationDescription = "Drawn from counts; not for measuring"
    dataset.SourceImageSequence = [instance_item(one) for one in references(sources)]
    for item in dataset.SourceImageSequence:
        item.PurposeOfReferenceCodeSequence = [_MADE_FROM.item()]
    return dataset


def _captured(
    sources: Sequence[Sourced], series: Series, picture: NDArray[np.uint8], number: int, shows: str
) -> Dataset:
    dataset = begun(sources, series, number)
    dataset.ConversionType = "WSD"
    dataset.ImageType, dataset.BurnedInAnnotation = ["DERIVED", "SECONDARY"], "NO"
    dataset.ImageComments = f"{shows} {DISCLAIMER}"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.Rows, dataset.Columns = picture.shape[:2]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    stored = np.ascontiguousarray(picture, np.uint8).tobytes()
    dataset.add_new("PixelData", "OB", stored + bytes(len(stored) % 2))
    return dataset


def pixels_of(png: bytes) -> NDArray[np.uint8]:
    """The pixels of a PNG picture.

    Parameters
    ----------
    png : bytes

    Returns
    -------
    (row, column, 3) ndarray of uint8
    """
    from PIL import Image

    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture.convert("RGB"))


def document(sources: Sequence[Sourced], pdf: bytes, title: str = "Bone scan reading") -> Dataset:
    """The report as an Encapsulated PDF.

    Parameters
    ----------
    sources : sequence of SourceFrame or SourceObject
        What it tells of; the first one tells the person and the study.
    pdf : bytes
    title : str

    Returns
    -------
    pydicom.Dataset
        Without a SOPInstanceUID yet.
    """
    dataset = begun(sources, _DOCUMENTS)
    source = sources[0].dataset
    at = headers.acquired_at(source)
    dataset.AcquisitionDateTime = f"{at:%Y%m%d%H%M%S}" if at else ""
    dataset.ConversionType = "WSD"
    # the report names the person as the source does
    dataset.BurnedInAnnotation = "NO" if headers.text(source, "PatientIdentityRemoved") == "YES" else "YES"
    dataset.DocumentTitle = f"{title} by research software, not a medical device"
    dataset.ConceptNameCodeSequence = [Code("18748-4", "LN", "Diagnostic imaging study").item()]
    dataset.SourceInstanceSequence = [instance_item(one) for one in references(sources)]
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocumentLength = len(pdf)
    dataset.add_new("EncapsulatedDocument", "OB", pdf + bytes(len(pdf) % 2))
    return dataset
