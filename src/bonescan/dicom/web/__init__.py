"""DICOMweb without HTTP: queries as DICOM JSON, objects told attribute by attribute, frames, and parts that come in."""

from bonescan.dicom.web.attributes import BulkData, bulk_data, names_of, object_json
from bonescan.dicom.web.media import Offer, chosen
from bonescan.dicom.web.multipart import MultipartReader, boundary_of, closing, opening
from bonescan.dicom.web.pixels import Curve, Frames, Picture, Window
from bonescan.dicom.web.querying import Query, answer, read_query
from bonescan.dicom.web.storing import Intake

__all__ = [
    "BulkData",
    "Curve",
    "Frames",
    "Intake",
    "MultipartReader",
    "Offer",
    "Picture",
    "Query",
    "Window",
    "answer",
    "boundary_of",
    "bulk_data",
    "chosen",
    "closing",
    "names_of",
    "object_json",
    "opening",
    "read_query",
]
