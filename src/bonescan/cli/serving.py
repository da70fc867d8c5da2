"""``serve``: the DICOM node, the archive, what reads the studies and the workstation, in one process."""

from __future__ import annotations

import logging
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bonescan.cli.archive import opened_archive
from bonescan.cli.log import logging_to
from bonescan.cli.terminal import NOT_A_DEVICE, Quiet, compiled_code, debugging

if TYPE_CHECKING:
    from bonescan.archive import Archive
    from bonescan.dicom.node.settings import NodeSettings
    from bonescan.workstation.settings import HttpSettings

__all__ = ["COMMANDS"]

_LOCK = "serve.lock"
_ANOTHER = "Another bonescan serve runs on this folder; stop it first, or give this one a folder of its own."


def serve(
    folder: Annotated[
        Path | None,
        typer.Option("--folder", metavar="DIR", help="The archive's folder; made when absent.", show_default=False),
    ] = None,
    ae_title: Annotated[
        str | None, typer.Option("--ae-title", help="The node's own title; BONESCAN if not set.", show_default=False)
    ] = None,
    dicom_port: Annotated[
        int | None,
        typer.Option("--dicom-port", min=0, max=65535, help="11112 if not set; 0 for any.", show_default=False),
    ] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(
            "--peer",
            metavar="TITLE",
            help="AE title that may send, ask and fetch; may be repeated.",
            show_default=False,
        ),
    ] = None,
    http_port: Annotated[
        int | None,
        typer.Option("--http-port", min=0, max=65535, help="8080 if not set; 0 for any.", show_default=False),
    ] = None,
    http: Annotated[bool, typer.Option("--http/--no-http", help="Whether to serve the workstation's pages.")] = True,
    demo: Annotated[
        bool, typer.Option("--demo", help="Simulated patients and accounts; without DIR all of it goes at the end.")
    ] = False,
    readers: Annotated[int, typer.Option("--readers", metavar="N", min=1, help="Studies read at once.")] = 1,
    quiet: Quiet = False,
) -> None:
    """Take studies in over DICOM, keep them, read them by itself, and show them in a browser.

    \b
    Cameras send (C-STORE) to the node. An object is acknowledged once it is safe
    on the disk; a study to which nothing came for a few seconds is read, and its
    reading is kept in DIR/results beside all earlier ones.

    \b
    The workstation is a page for browsers: the worklist and the readings, for
    whoever has an account. At the first start it prints a code with which the
    first administrator makes a name and a password; there is no default one.

    \b
    DIR/bonescan.toml holds the settings: who may call, TLS, quota, PostgreSQL;
    the options above go before it. Without any peer nobody may call. It listens
    on this machine alone unless the settings say otherwise. Ctrl-C and SIGTERM
    stop it; readings in progress are begun anew at the next start.

    \b
    What happens is told on stderr, one line for each event, without a patient's
    identity: plain on a terminal, JSON anywhere else. It is kept and rotated by
    systemd's journal, or by what runs the container.

    \b
    --demo fills the archive with thirteen studies of twelve simulated patients, sent and
    read as a camera's, and makes an account of every role with a random password,
    which it prints. A folder that holds patients is never filled so.

    \b
    Examples:
      bonescan serve --folder archive --peer CAMERA
      bonescan serve --folder archive --ae-title BONESCAN --dicom-port 11112
      bonescan serve --folder archive --peer CAMERA --http-port 8081
      bonescan serve --folder archive --peer CAMERA --no-http
      bonescan serve --demo
    """
    stop = threading.Event()
    with ExitStack() as served:
        log = served.enter_context(logging_to(sys.stderr, quiet=quiet, whole=debugging()))
        served.enter_context(compiled_code(log.info))
        archive = served.enter_context(opened_archive(_place(served, folder, demo), new=True))
        from bonescan.archive import run_worker
        from bonescan.archive.objects import held_alone
        from bonescan.archive.settings import SETTINGS_NAME
        from bonescan.dicom.node.serving import serve as serve_node
        from bonescan.dicom.node.settings import NodeSettings, read_node_settings
        from bonescan.workstation.demo import DEMO_TITLE
        from bonescan.workstation.settings import load_http_settings

        file = archive.folder / SETTINGS_NAME
        settings = read_node_settings(file) if file.is_file() else NodeSettings()
        settings = _overruled(settings, ae_title, dicom_port, [*(peer or []), *([DEMO_TITLE] if demo else [])])
        workstation = load_http_settings(file)  # also without pages: what is misspelt is told at once
        served.enter_context(held_alone(archive.folder / _LOCK, otherwise=_ANOTHER))
        if demo:
            _mark(archive)
        node = served.enter_context(serve_node(archive, settings, spool=archive.folder / "spool"))
        if http:
            _open_workstation(served, archive, workstation, http_port, settings, log, demo=demo)
        for name in ("SIGTERM", "SIGINT", "SIGHUP"):
            with suppress(AttributeError, ValueError):  # Windows has no SIGHUP; only a main thread may listen
                signal.signal(getattr(signal, name), lambda *_: stop.set())
        held = archive.counts()
        log.info(f"{held['study']} studies with {held['instance']} objects are here. {NOT_A_DEVICE}")
        log.info(f"Listening as {settings.ae_title} on {settings.host}, port {node.port}")
        if not settings.peers:
            log.info(f"Nobody may call yet: name peers in {SETTINGS_NAME} or with --peer")
        if demo:
            _fill(archive, settings, node.port, stop, log.info)
        run_worker(archive, stop, processes=readers, node=settings)
        log.info("Stopping")


def _place(served: ExitStack, folder: Path | None, demo: bool) -> Path:
    if folder is None and not demo:
        raise typer.BadParameter("name the archive's folder", param_hint="--folder")
    return folder or Path(served.enter_context(tempfile.TemporaryDirectory(prefix="bonescan-demo-")))


def _mark(archive: Archive) -> None:
    from bonescan.workstation.demo import mark_demo

    mark_demo(archive.folder, archive.counts()["study"])


def _fill(
    archive: Archive, settings: NodeSettings, port: int, stop: threading.Event, progress: Callable[[str], None]
) -> None:
    from bonescan.dicom.node.sending import Outcome, send
    from bonescan.dicom.node.settings import NodeSettings, Peer
    from bonescan.workstation.demo import DEMO_TITLE, fill_demo

    host = "127.0.0.1" if settings.host in ("", "0.0.0.0", "::") else settings.host
    node = Peer(ae_title=settings.ae_title, host=host, port=port, tls=settings.tls is not None)
    camera = NodeSettings(ae_title=DEMO_TITLE, tls=settings.tls)

    def sent(paths: Sequence[Path]) -> bool:
        return all(one.outcome is Outcome.STORED for one in send(paths, node, camera))

    fill_demo(archive.folder, sent, stop, progress)


def _open_workstation(
    served: ExitStack,
    archive: Archive,
    settings: HttpSettings,
    port: int | None,
    node: NodeSettings,
    log: logging.Logger,
    *,
    demo: bool,
) -> None:
    from bonescan.workstation import serve
    from bonescan.workstation.demo import demo_accounts

    settings = settings if port is None else replace(settings, port=port)
    opened = served.enter_context(serve(archive, settings, node=node))
    log.info(f"The workstation is at {opened.address}")
    if demo:  # passwords are said in any case, as is the code below: they are kept nowhere
        log.warning("Demonstration with simulated patients")
        for name, _, password in demo_accounts(opened.workstation.rooms.people):
            log.warning(f"Sign in as {name} with the password {password}")
    if code := opened.workstation.set_up_code:  # said in any case: without it nobody could ever sign in
        log.warning(f"To make the first administrator, open it and type this code: {code}")


def _overruled(settings: NodeSettings, ae_title: str | None, port: int | None, peers: Sequence[str]) -> NodeSettings:
    from bonescan.dicom.node.settings import Peer, Right

    known = {one.ae_title for one in settings.peers}
    added = [Peer(ae_title=title, may=frozenset(Right)) for title in dict.fromkeys(peers) if title not in known]
    return replace(
        settings,
        ae_title=settings.ae_title if ae_title is None else ae_title,
        port=settings.port if port is None else port,
        peers=(*settings.peers, *added),
    )


COMMANDS: Sequence[Callable[..., None]] = (serve,)
