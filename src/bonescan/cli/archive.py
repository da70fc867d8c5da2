"""``archive``: is everything there, save it, bring it back, what may go, and who did what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bonescan.cli.terminal import AsJson, Quiet, aligned, in_json, print_results, progress_on_stderr
from bonescan.errors import ArchiveUnavailable, UnreadableInput

if TYPE_CHECKING:
    from bonescan.archive import Archive

__all__ = ["app", "opened_archive"]

app = typer.Typer(
    name="archive",
    help="""Look after the archive that bonescan serve fills.

\b
FOLDER is the archive's folder. Its settings are in FOLDER/bonescan.toml; the
environment variable BONESCAN_DATABASE says where the index is, if it is not in
the folder. All of these may run while the archive works, but restore.

\b
Examples:
  bonescan archive check FOLDER
  bonescan archive backup FOLDER -o BACKUP
  bonescan archive restore BACKUP -o NEW-FOLDER
  bonescan archive retain FOLDER
  bonescan archive audit FOLDER --last 20
  bonescan archive jobs FOLDER
""",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The archive's folder.", show_default=False)]
_ACTOR = "command line"


@contextmanager
def opened_archive(folder: Path, *, new: bool = False) -> Iterator[Archive]:
    """Open an archive for one command.

    Parameters
    ----------
    folder : Path
    new : bool
        Whether to make one where there is none.

    Yields
    ------
    Archive

    Raises
    ------
    UnreadableInput
        When there is none.
    ArchiveUnavailable
        When it cannot be opened, or what it needs is not installed.
    """
    try:
        from bonescan.archive import Archive
    except ModuleNotFoundError as error:
        raise ArchiveUnavailable(
            f'The archive needs {error.name}, which is not installed: run pip install "bonescan[server]".'
        ) from error
    if not new and not (folder / "objects").is_dir():
        raise UnreadableInput("There is no archive in that folder; bonescan serve makes one.")
    with Archive(folder) as archive:
        yield archive


@app.command()
def check(folder: _Folder, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Hold every object, reading and entry of the audit trail against its digest.

    \b
    What is damaged or missing is no longer vouched for; it heals when the same
    object is sent again. Files the index does not know are brought in with
    bonescan archive reindex. Exit status 1 when anything was found.
    """
    progress = progress_on_stderr(quiet)
    with opened_archive(folder) as archive:
        from bonescan import archive as room

        report = room.check(archive, progress)
    if as_json:
        print_results(in_json({"well": report.well, **asdict(report)}))
    elif not quiet or not report.well:
        trail = report.audit.reason or "whole"
        print_results(
            "\n".join(
                [
                    f"Objects      {report.objects}: {len(report.damaged)} damaged, {len(report.missing)} missing",
                    f"Unknown      {len(report.unknown)} files",
                    f"Readings     {report.readings}: {len(report.damaged_readings)} damaged",
                    f"Audit trail  {report.audit.entries} entries: {trail}",
                    *(f"  damaged  {name}" for name in report.damaged),
                    *(f"  missing  {name}" for name in report.missing),
                    *(f"  unknown  {name}" for name in report.unknown),
                    *(f"  damaged  {name}" for name in report.damaged_readings),
                ]
            )
        )
    if not report.well:
        raise typer.Exit(1)


@app.command()
def reindex(folder: _Folder, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Bring what lies in the folder into the index; from the files alone, if need be.

    \b
    For an index that is lost or damaged: take index.sqlite* away first. Lost with
    an index are the audit trail, the queue, and senders that no file names.
    """
    progress = progress_on_stderr(quiet)
    with opened_archive(folder) as archive:
        from bonescan import archive as room

        done = room.reindex(archive, progress)
        held = archive.counts()
    if as_json:
        print_results(in_json({**asdict(done), "held": held}))
    elif not quiet:
        refused = [f"  refused  {name}" for name in done.refused]
        said = f"{done.objects} objects and {done.readings} readings brought in; {held['instance']} objects are held"
        print_results("\n".join([said, *refused]))


@app.command()
def backup(
    folder: _Folder,
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="BACKUP", help="Folder for the backup, on another disk.", show_default=False
        ),
    ],
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Copy index, objects and readings as they are at one moment, while the archive works.

    \b
    Give the same BACKUP again and only what is new is copied. Every copy is held
    against its digest; what is damaged in the archive is told, and exit status 1.
    """
    progress = progress_on_stderr(quiet)
    with opened_archive(folder) as archive:
        from bonescan import archive as room

        made = room.back_up(archive, out, progress)
    _say_backup(made, "backed up", as_json, quiet)


@app.command()
def restore(
    saved: Annotated[Path, typer.Argument(metavar="BACKUP", help="Folder of a backup.", show_default=False)],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FOLDER", help="Empty folder for the archive.", show_default=False),
    ],
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Bring an archive back from a backup; every file is held against its digest first.

    \b
    With BONESCAN_DATABASE set, or an bonescan.toml in FOLDER, the index goes into
    that database: so an archive moves from SQLite to PostgreSQL, or back.
    """
    progress = progress_on_stderr(quiet)
    try:
        from bonescan import archive as room
    except ModuleNotFoundError as error:
        raise ArchiveUnavailable(
            f'The archive needs {error.name}, which is not installed: run pip install "bonescan[server]".'
        ) from error
    _say_backup(room.restore(saved, out, progress), "restored", as_json, quiet)


def _say_backup(made: Any, what: str, as_json: bool, quiet: bool) -> None:
    if as_json:
        print_results(in_json(asdict(made)))
    elif not quiet or made.bad:
        said = f"{made.objects} objects and {made.readings} readings {what}, {made.copied} files copied"
        print_results("\n".join([said, *(f"  missing or damaged  {name}" for name in made.bad)]))
    if made.bad:
        raise typer.Exit(1)


@app.command()
def retain(
    folder: _Folder,
    delete: Annotated[bool, typer.Option("--delete", help="Delete them; without it they are only listed.")] = False,
    trust_clock: Annotated[
        bool, typer.Option("--trust-clock", help="Go on though the clock is far from the audit trail's last entry.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """List the studies that the rules of bonescan.toml let go, or delete them.

    \b
    Never deleted: a study whose newest reading is not signed, one that was not
    read, and one with objects that came after its reading.
    """
    with opened_archive(folder) as archive:
        from bonescan import archive as room

        now = datetime.now(UTC)
        deleted = room.retain(archive, now, actor=_ACTOR, trust_clock=trust_clock) if delete else None
        found = room.due(archive, now) if deleted is None else deleted
    rows = [asdict(one) for one in found]
    if as_json:
        print_results(in_json({"deleted": delete, "studies": rows}))
    elif not quiet:
        table = [aligned(rows)] if rows else []
        going = sum(not one.kept_because for one in found)
        said = f"{going} studies deleted" if delete else f"{going} studies would be deleted; --delete does it"
        print_results("\n".join([*table, said]))


@app.command()
def audit(
    folder: _Folder,
    last: Annotated[int, typer.Option("--last", metavar="N", min=0, help="Also show the last N entries.")] = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Compute the audit trail's chain of digests anew, and anchor its end.

    \b
    Says the first entry that is not as it was written, and exits with 1 then.
    Keep the last line that it prints elsewhere: it shows later whether the whole
    chain was computed anew.
    """
    with opened_archive(folder) as archive:
        from bonescan.archive import audit as trail

        state = trail.verify(archive.database, archive.folder)
        shown = trail.entries(archive.database, after=max(0, state.entries - last), limit=last) if last else []
    rows = [asdict(entry) for entry in shown]
    if as_json:
        print_results(in_json({**asdict(state), "last": rows}))
    elif not quiet or state.first_bad is not None:
        columns = ("seq", "at", "actor", "action", "subject")
        table = [aligned([{name: row[name] for name in columns} for row in rows])] if rows else []
        said = state.reason or f"{state.entries} entries, {state.anchors} anchors: the audit trail is whole"
        print_results("\n".join([*table, said, f"{state.entries} {state.head}"]))
    if state.first_bad is not None:
        raise typer.Exit(1)


@app.command()
def jobs(
    folder: _Folder,
    retry: Annotated[
        int | None,
        typer.Option("--retry", metavar="N", help="Try the dead job of this number again.", show_default=False),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """List the jobs (readings, signatures, sendings) that wait, run, are done, or failed and why."""
    with opened_archive(folder) as archive:
        from bonescan.archive import Queue

        queue = Queue(archive.database, lease_s=archive.settings.lease_s, attempts=archive.settings.attempts)
        if retry is not None:
            queue.retry(retry, actor=_ACTOR)
        found = queue.jobs()
    if as_json:
        # what is signed is a patient's: it is not for a terminal
        print_results(in_json([{k: v for k, v in asdict(job).items() if k != "payload"} for job in found]))
    elif not quiet:
        rows = [
            {
                "job": job.id,
                "kind": job.kind,
                "state": str(job.state),
                "study": job.study_instance_uid,
                "tried": job.attempts,
                "": job.reason or job.progress,
            }
            for job in found
        ]
        print_results(aligned(rows) if rows else "No jobs were asked for yet")
