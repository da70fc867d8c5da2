"""The DICOM node: what other machines may send, ask for and fetch over the network."""

from bonescan.dicom.node.shelf import Kept, Level, ReceivedObject, Shelf, StoredObject

__all__ = ["Kept", "Level", "ReceivedObject", "Shelf", "StoredObject"]
