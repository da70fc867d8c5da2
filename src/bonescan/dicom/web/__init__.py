"""DICOMweb without HTTP: queries as DICOM JSON, objects told attribute by attribute, frames, and parts that come in."""

from bonescan.dicom.web.attributes import BulkData, bulk_data, object_json
from bonescan.dicom.web.media import Offer, chosen
from bonescan.dicom.web.multipart import MultipartReader, boundary_of, closing, opening
from bonescan.dicom.web.pixels import Curve, Picture, Window, frame_bytes, frame_count, rendered
from bonescan.dicom.web.querying import Query, answer, read_query
from bonescan.dicom.web.storing import Intake

__all__ = [
    "BulkData",
    "Curve",
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
    "frame_bytes",
    "frame_count",
    "object_json",
    "opening",
    "read_query",
    "rendered",
]
