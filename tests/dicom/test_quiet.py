"""What pydicom says of a file is counted where it was said, heard by nobody, and changes nothing for other threads."""

from __future__ import annotations

import io
import logging
import threading
import warnings
from collections.abc import Iterator

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from bonescan.dicom.pixels import parse
from bonescan.dicom.quiet import counted_departures, keep_quiet

NAME = "Secret^Person"


def odd_file() -> bytes:
    """A file whose header pydicom tolerates with a warning: its character set is none."""
    dataset = Dataset()
    dataset.PatientName, dataset.SpecificCharacterSet = NAME, "ISO_IR 100"
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.20", "1.2.3"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    into = io.BytesIO()
    pydicom.dcmwrite(into, dataset, enforce_file_format=True)
    return into.getvalue().replace(b"ISO_IR 100", b"NO_CHARSET")


class Listener(logging.Handler):
    """An application's log, to which every library's is handed on."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def log() -> Iterator[Listener]:
    listener = Listener()
    logging.getLogger().addHandler(listener)
    yield listener
    logging.getLogger().removeHandler(listener)


def test_nothing_is_heard_of_a_tolerated_value(capfd, log):
    with warnings.catch_warnings(record=True) as heard:  # the test's own thread, with nobody beside it
        warnings.simplefilter("always")
        dataset, _ = parse(odd_file(), "the file")
        assert str(dataset.PatientName) == NAME
    assert not [one for one in heard if "pydicom" in one.filename]
    assert not log.records
    assert "Secret" not in "".join(capfd.readouterr())


def test_departures_are_counted_in_their_own_thread():
    ready, done = threading.Event(), threading.Event()

    def beside() -> None:
        ready.wait(10)
        keep_quiet()
        for _ in range(3):
            logging.getLogger("pydicom").warning("what another thread's file says")
        done.set()

    other = threading.Thread(target=beside)
    other.start()
    with counted_departures() as own:
        logging.getLogger("pydicom").warning("one of ours")
        ready.set()
        assert done.wait(10)
    other.join()
    assert own.count == 1
    logging.getLogger("pydicom").warning("after it")
    assert own.count == 1


def test_many_threads_leave_the_process_as_one_does():
    """With filters put back as `catch_warnings` does, interleaved threads left others' filters behind."""
    keep_quiet()
    before, validation = list(warnings.filters), pydicom.config.settings.reading_validation_mode
    content, found = odd_file(), []

    def many() -> None:
        for _ in range(20):
            found.append(len(parse(content, "the file")[1]))

    threads = [threading.Thread(target=many) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert list(warnings.filters) == before
    assert pydicom.config.settings.reading_validation_mode == validation
    assert len(found) == 80
    assert len(set(found)) == 1


def test_what_is_not_a_librarys_is_still_heard():
    keep_quiet()
    with pytest.warns(UserWarning, match="ours"):
        warnings.warn("ours", stacklevel=1)
