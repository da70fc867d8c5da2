"""The hospital door: what gamma cameras write becomes a `Scan`, and nothing else does."""

from bonescan.dicom.opening import open_scan

__all__ = ["open_scan"]
