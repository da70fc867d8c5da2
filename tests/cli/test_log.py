"""What `bonescan serve` writes while it works: lines for machines and people, and nobody's name."""

from __future__ import annotations

import io
import json
import logging
import threading
import warnings

import pytest

from bonescan.cli.log import logging_to

NAME = "Doe^Jane"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_every_line_is_an_object_with_time_level_logger_and_message():
    stream = io.StringIO()
    with logging_to(stream) as log:
        log.info("Listening\non two lines")
        facts = {"method": "GET", "status": 200}
        logging.getLogger("bonescan.workstation").warning("seen", extra={"event": "request", "facts": facts})
    first, second = lines(stream)
    assert (first["level"], first["logger"], first["message"]) == ("info", "bonescan.serve", "Listening on two lines")
    assert str(first["time"]).endswith("+00:00")
    assert (second["level"], second["event"], second["facts"]) == ("warning", "request", facts)


def test_a_terminal_gets_plain_text():
    stream = Terminal()
    with logging_to(stream) as log:
        log.info("Listening")
        log.error("It ended")
    assert [line.split(" ", 1)[1] for line in stream.getvalue().splitlines()] == ["Listening", "error: It ended"]


def test_quiet_says_only_what_is_wrong():
    stream = io.StringIO()
    with logging_to(stream, quiet=True) as log:
        log.info("Listening")
        log.warning("Full")
    assert [line["message"] for line in lines(stream)] == ["Full"]


def test_neither_errors_nor_libraries_nor_warnings_are_quoted():
    stream = io.StringIO()
    with logging_to(stream) as log:
        try:
            raise ValueError(f"cannot decode {NAME}")
        except ValueError:
            log.exception("reading failed")
        logging.getLogger("sqlalchemy.pool").error("could not insert %s", NAME)
        logging.getLogger("asyncio").info("nobody asked")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            logging.captureWarnings(True)
            warnings.warn(f"odd value {NAME}", stacklevel=1)
        ended = threading.Thread(target=_raises, name="node")
        ended.start()
        ended.join()
        _Dying()
    assert NAME not in stream.getvalue()
    said = [(one["logger"], str(one["message"])) for one in lines(stream)]
    assert [logger for logger, _ in said] == [
        "bonescan.serve", "sqlalchemy.pool", "py.warnings", "bonescan.serve", "bonescan.serve"
    ]  # fmt: skip
    assert said[0][1].startswith("reading failed (ValueError at test_log.py:")
    assert said[1][1].startswith("error at test_log.py:")
    assert said[3][1].startswith("the thread node ended by an error: RuntimeError at test_log.py:")
    assert said[4][1].startswith("an error while something was let go: KeyError at test_log.py:")


def test_whoever_looks_for_a_fault_gets_the_words():
    stream = io.StringIO()
    with logging_to(stream, whole=True):
        logging.getLogger("uvicorn.error").error("address in use")
    assert [line["message"] for line in lines(stream)] == ["address in use"]


def test_a_stream_that_is_full_stops_nothing_and_all_is_as_before_afterwards(capsys: pytest.CaptureFixture[str]):
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    before = (threading.excepthook, logging.raiseExceptions, list(logging.getLogger().handlers))
    with logging_to(Full()) as log:
        log.warning("lost")
    assert (threading.excepthook, logging.raiseExceptions, logging.getLogger().handlers) == before
    assert capsys.readouterr().err == ""


def _raises() -> None:
    raise RuntimeError(NAME)


class _Dying:
    def __del__(self) -> None:
        raise KeyError(NAME)
