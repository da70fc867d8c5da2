"""``serve``: the DICOM node, the archive, what reads the studies and the workstation, in one process."""

from __future__ import annotations

import signal
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bonescan.cli.archive import opened_archive
from bonescan.cli.terminal import NOT_A_DEVICE, Quiet, compiled_code, progress_on_stderr

if TYPE_CHECKING:
    from bonescan.archive import Archive
    from bonescan.dicom.node.settings import NodeSettings

__all__ = ["COMMANDS"]


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
    --demo fills the archive with seven studies of six simulated patients, sent and
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
    progress = progress_on_stderr(quiet)
    stop = threading.Event()
    with ExitStack() as served:
        served.enter_context(compiled_code(progress))
        archive = served.enter_context(opened_archive(_place(served, folder, demo), new=True))
        if demo:
            _mark(archive)
        from bonescan.archive import run_worker
        from bonescan.archive.settings import SETTINGS_NAME
        from bonescan.dicom.node.serving import serve as serve_node
        from bonescan.dicom.node.settings import NodeSettings, read_node_settings
        from bonescan.workstation.demo import DEMO_TITLE

        file = archive.folder / SETTINGS_NAME
        settings = read_node_settings(file) if file.is_file() else NodeSettings()
        settings = _overruled(settings, ae_title, dicom_port, [*(peer or []), *([DEMO_TITLE] if demo else [])])
        node = served.enter_context(serve_node(archive, settings, spool=archive.folder / "spool"))
        if http:
            _open_workstation(served, archive, file, http_port, progress, demo=demo)
        for name in ("SIGTERM", "SIGINT", "SIGHUP"):
            with suppress(AttributeError, ValueError):  # Windows has no SIGHUP; only a main thread may listen
                signal.signal(getattr(signal, name), lambda *_: stop.set())
        held = archive.counts()
        progress(f"{held['study']} studies with {held['instance']} objects are here. {NOT_A_DEVICE}")
        progress(f"Listening as {settings.ae_title} on {settings.host}, port {node.port}")
        if not settings.peers:
            progress(f"Nobody may call yet: name peers in {SETTINGS_NAME} or with --peer")
        if demo:
            _fill(archive, settings, node.port, stop, progress)
        run_worker(archive, stop, processes=readers)
        progress("Stopping")


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
    settings_file: Path,
    port: int | None,
    progress: Callable[[str], None],
    *,
    demo: bool,
) -> None:
    from bonescan.workstation import load_http_settings, serve
    from bonescan.workstation.demo import demo_accounts

    settings = load_http_settings(settings_file)
    opened = served.enter_context(serve(archive, settings if port is None else replace(settings, port=port)))
    progress(f"The workstation is at {opened.address}")
    if demo:  # passwords are said in any case, as is the code below: they are kept nowhere
        accounts = demo_accounts(opened.workstation.rooms.people)
        rows = "\n".join(f"  {name:<20}{password}" for name, _, password in accounts)
        typer.echo(f"Demonstration with simulated patients. Sign in as\n{rows}", err=True)
    if code := opened.workstation.set_up_code:  # said in any case: without it nobody could ever sign in
        typer.echo(f"To make the first administrator, open it and type this code: {code}", err=True)


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
