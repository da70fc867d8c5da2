"""What a hostile or broken peer may send: the node answers the next one as if nothing had happened."""

from __future__ import annotations

import os
import random
import resource
import socket
import ssl
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest
from pydicom.uid import NuclearMedicineImageStorage
from pynetdicom import AE, build_context, evt
from tests.dicom.node.shelves import an_object, as_file

from bonescan.dicom.node.contexts import FIND_MODELS, VERIFICATION
from bonescan.dicom.node.sending import Outcome, echo, send
from bonescan.dicom.node.settings import Limits, NodeSettings, Peer, Tls
from bonescan.dicom.node.transport import Spool, clear_spool

AS_CAMERA = NodeSettings(ae_title="CAMERA")
IMPATIENT = Limits(opening_s=1.0, idle_s=1.5, associations=4, message_bytes=65536, object_bytes=200_000)


def spoken(running, pixels: int = 16) -> list[bytes]:
    """The protocol data units of a whole conversation: associate, query, store, release."""
    units: list[bytes] = []
    one = an_object(pixels=pixels)
    from pydicom.dataset import Dataset

    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.PatientName = "STUDY", "A*"
    contexts = [
        build_context(VERIFICATION),
        build_context(FIND_MODELS[1]),
        build_context(NuclearMedicineImageStorage, one.file_meta.TransferSyntaxUID),
    ]
    handlers = [(evt.EVT_DATA_SENT, lambda event: units.append(bytes(event.data)))]
    with running.called(contexts, evt_handlers=handlers) as association:
        association.send_c_echo()
        list(association.send_c_find(identifier, FIND_MODELS[1]))
        association.send_c_store(one)
    return units


def connected(running) -> socket.socket:
    raw = socket.create_connection(("127.0.0.1", running.node.port), timeout=10)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return raw


def opened_with(raw: socket.socket, request: bytes, seconds: float = 10) -> bytes:
    """What the node answers to the request of an association: what follows it too early is aborted."""
    raw.sendall(request)
    raw.settimeout(seconds)
    try:
        return raw.recv(65536)
    except TimeoutError:
        return b""


def taken(raw: socket.socket, piece: bytes, times: int) -> int:
    """How many bytes of a piece, said again and again, are taken until the connection is closed."""
    for count in range(times):
        try:
            raw.sendall(piece)
        except OSError:
            return count * len(piece)
        time.sleep(0.002)
    return times * len(piece)


def said_until_closed(raw: socket.socket, seconds: float = 10) -> bytes:
    """What the node says before it closes the connection; fails where it never does."""
    raw.settimeout(seconds)
    heard = b""
    while True:
        try:
            more = raw.recv(65536)
        except ConnectionError:
            return heard
        if not more:
            return heard
        heard += more


def test_silence_and_drops_of_bytes_are_cut_off_while_others_are_served(start):
    running = start(limits=IMPATIENT)
    request = spoken(running)[0]
    silent, dripping = connected(running), connected(running)
    half = connected(running)
    assert opened_with(half, request)[0] == 2  # accepted, and then never a word
    stop = threading.Event()

    def drip():
        for byte in request[:-1]:
            if stop.wait(0.05):
                return
            try:
                dripping.send(bytes([byte]))
            except OSError:
                return

    slowly = threading.Thread(target=drip)
    slowly.start()
    assert echo(running.as_peer, AS_CAMERA)
    for raw in (silent, dripping, half):
        said_until_closed(raw)
        raw.close()
    stop.set()
    slowly.join(10)
    assert echo(running.as_peer, AS_CAMERA)


def test_a_message_in_ever_more_small_pieces_is_cut_off(start, monkeypatch):
    monkeypatch.setattr("bonescan.dicom.node.transport._GRACE_S", 0.5)
    running = start(limits=Limits(opening_s=2, idle_s=2, slowest_bytes_per_s=1000))
    units = spoken(running)
    raw = connected(running)
    assert opened_with(raw, units[0])[0] == 2
    piece = struct.pack(">BBLLBB", 4, 0, 7, 3, 1, 1) + b"\0"  # one byte of a command, and never the last
    closed = False
    for _ in range(200):  # 20 bytes/s, each piece well within the longest silence
        try:
            raw.sendall(piece)
        except OSError:
            closed = True
            break
        time.sleep(0.05)
    assert closed
    assert echo(running.as_peer, AS_CAMERA)


def test_no_stated_length_is_believed(start):
    running = start(limits=IMPATIENT)
    request = spoken(running)[0]
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for opening, head in ((b"", b"\x01\0\xff\xff\xff\xff"), (request, b"\x04\0\x7f\xff\xff\xff")):
        with connected(running) as raw:
            assert not opening or opened_with(raw, opening)[0] == 2
            raw.sendall(head)
            said_until_closed(raw)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held < 64 * 1024  # kB: nothing was set aside for them
    assert echo(running.as_peer, AS_CAMERA)


def test_messages_without_end_are_aborted(start):
    running = start(limits=IMPATIENT)
    request = spoken(running)[0]
    command = struct.pack(">BBLLBB", 4, 0, 8006, 8002, 1, 1) + bytes(8000)  # a piece of a command that never ends
    data = struct.pack(">BBLLBB", 4, 0, 8006, 8002, 1, 0) + bytes(8000)  # data without a command
    for piece in (command, data):
        with connected(running) as raw:
            assert opened_with(raw, request)[0] == 2
            assert taken(raw, piece, 2000) < 16_000_000  # 64 KiB are allowed, and some are on their way
    assert echo(running.as_peer, AS_CAMERA)


def test_more_connections_than_the_limit_are_closed_at_once(start):
    running = start(limits=Limits(associations=2, opening_s=3, idle_s=5))
    many = [connected(running) for _ in range(40)]
    closed = 0
    for raw in many:
        raw.settimeout(0.05)
        try:
            closed += raw.recv(1) == b""
        except TimeoutError:
            pass
        except ConnectionError:
            closed += 1
    assert closed == 40 - (2 * 2 + 16)
    for raw in many:
        raw.close()
    for _ in range(100):
        if echo(running.as_peer, AS_CAMERA):
            break
        time.sleep(0.05)
    assert echo(running.as_peer, AS_CAMERA)


@pytest.mark.long
def test_one_address_cannot_take_every_connection(start):
    running = start(limits=Limits(connections_per_address=3, opening_s=5, idle_s=5))
    many = [connected(running) for _ in range(3)]
    assert said_until_closed(connected(running)) == b""  # at once, not after the seconds of an opening
    with socket.create_connection(("127.0.0.1", running.node.port), source_address=("127.0.0.2", 0)) as other:
        other.settimeout(0.3)
        with pytest.raises(TimeoutError):
            other.recv(1)  # not closed: the request of an association is waited for
    for raw in many:
        raw.close()


def test_a_half_sent_object_leaves_nothing_behind(start):
    import gc

    running = start(limits=Limits(spool_above_bytes=1000, pdu_bytes=4096, opening_s=2, idle_s=5))
    units = spoken(running, pixels=64)  # 8 KiB of pixels: three units of data
    first = next(k for k, unit in enumerate(units) if len(unit) > 4000 and unit[0] == 4 and not unit[11] & 1)
    with connected(running) as raw:
        assert opened_with(raw, units[0])[0] == 2
        for unit in units[1 : first + 1]:
            raw.sendall(unit)
            time.sleep(0.1)  # so that each is answered before the next, as its sender did
        assert list(running.spool.iterdir()) != []
    assert len(running.shelf.given) == 1  # that of the whole conversation
    for _ in range(100):
        gc.collect()
        if not list(running.spool.iterdir()) and running.node.associations == 0:
            break
        time.sleep(0.05)
    assert list(running.spool.iterdir()) == []
    assert echo(running.as_peer, AS_CAMERA)


def test_what_a_killed_node_left_is_cleared_and_nothing_else(tmp_path):
    (tmp_path / "receiving-1a").write_bytes(b"half")
    (tmp_path / "mine").write_bytes(b"whole")
    clear_spool(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_spool_is_one_sequence_of_bytes_whether_in_memory_or_in_a_file(tmp_path):
    rng = random.Random(531)
    pieces = [rng.randbytes(rng.randrange(1, 5000)) for _ in range(40)]
    small, large = Spool(tmp_path, Limits()), Spool(tmp_path, Limits(spool_above_bytes=10_000))
    for piece in pieces:
        assert small.write(piece) == large.write(piece) == len(piece)
    assert small.content == large.content.read_bytes() == b"".join(pieces)
    assert large.name
    large.close()
    assert list(tmp_path.iterdir()) == []


def mutated(rng: random.Random, units: list[bytes]) -> list[bytes]:
    """The units of a conversation with one to six defects."""
    units = [bytearray(unit) for unit in units]
    for _ in range(rng.randint(1, 6)):
        unit = rng.choice(units)
        kind = rng.randrange(7)
        place = rng.randrange(len(unit)) if unit else 0
        if kind == 0 and unit:
            unit[place] = rng.randrange(256)
        elif kind == 1 and unit:
            unit[place] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del unit[place : place + rng.randint(1, 40)]
        elif kind == 3:
            unit[place:place] = rng.randbytes(rng.randint(1, 40))
        elif kind == 4 and len(unit) > 6:  # a length that agrees, around content that does not
            del unit[place or 6 :]
            unit[2:6] = struct.pack(">L", max(len(unit) - 6, 0))
        elif kind == 5:
            units.insert(rng.randrange(len(units) + 1), bytearray(rng.choice(units)))
        elif len(units) > 1:
            units.pop(rng.randrange(len(units)))
    return [bytes(unit) for unit in units]


def test_mutated_conversations_never_stop_the_node(start, monkeypatch):
    broken: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: broken.append(f"{args.exc_type.__name__}"))
    running = start(limits=Limits(opening_s=2, idle_s=1, message_bytes=65536, associations=100))
    units = spoken(running)
    rng = random.Random(int(os.environ.get("BONESCAN_FUZZ_SEED", "541")))
    kept = len(running.shelf.given)
    for round_ in range(int(os.environ.get("BONESCAN_FUZZ_ROUNDS", "40"))):
        with connected(running) as raw:
            try:
                first, *others = mutated(rng, units)
                opened_with(raw, first, 0.2)
                for unit in others:
                    raw.sendall(unit)
                raw.settimeout(0.03)
                raw.recv(65536)  # closed with words unread, a connection forgets those that were sent
            except OSError:
                pass
        if round_ % 10 == 9:
            assert echo(running.as_peer, AS_CAMERA), f"no echo after round {round_}"
    assert echo(running.as_peer, AS_CAMERA)
    for _ in range(200):
        if running.node.associations == 0 and not threads_of(running):
            break
        time.sleep(0.05)
    assert threads_of(running) == 0  # none hangs on what its peer never finished
    assert broken == []
    assert all(given.sop_instance_uid for given in running.shelf.given[kept:])


def threads_of(running) -> int:
    return len(running.node._server.active_associations)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> Path:
    """An authority and a certificate of 127.0.0.1 that it signed, made by openssl."""
    folder = tmp_path_factory.mktemp("certificates")
    steps = (
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=authority"
        " -keyout ca.key -out ca.crt",
        "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=127.0.0.1"
        " -keyout node.key -out node.csr",
        "x509 -req -in node.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out node.crt",
    )
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    try:
        for step in steps:
            subprocess.run(["openssl", *step.split()], cwd=folder, check=True, capture_output=True, timeout=30)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("openssl is not there to make certificates")
    return folder


def test_over_tls_only_who_shows_a_certificate_is_heard(start, files, certificates):
    tls = Tls(certificate=certificates / "node.crt", key=certificates / "node.key", authority=certificates / "ca.crt")
    running = start(limits=Limits(opening_s=1, idle_s=10), tls=tls)
    secure = Peer(ae_title="BONESCAN", host="127.0.0.1", port=running.node.port, tls=True)
    as_camera = NodeSettings(ae_title="CAMERA", tls=tls)
    waiting = connected(running)  # a handshake that never comes stops nobody else
    (sent,) = send(files(an_object()), secure, as_camera)
    assert sent.outcome is Outcome.STORED
    assert not echo(running.as_peer, AS_CAMERA)  # unencrypted
    context = ssl.create_default_context(cafile=certificates / "ca.crt")  # encrypted, without a certificate
    association = AE(ae_title="CAMERA").associate(
        "127.0.0.1",
        running.node.port,
        contexts=[build_context(VERIFICATION)],
        ae_title="BONESCAN",
        tls_args=(context, "127.0.0.1"),
    )
    assert not association.is_established
    assert echo(secure, as_camera)
    said_until_closed(waiting)
    waiting.close()


def test_object_files_of_the_tests_have_a_whole_head():
    # dataset_bytes() rests on it: group length first, and the data set right behind the group
    file = as_file(an_object())
    assert file[128:140] == b"DICM\x02\0\0\0UL\x04\0"
