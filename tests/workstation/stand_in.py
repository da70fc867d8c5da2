"""A small server that answers the pages as the workstation does, from studies held in memory, for tests."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tests.workstation.stand_in_desk import Desk, Refusing

import bonescan

STATIC = Path(bonescan.__file__).parent / "workstation" / "static"
PAGES = {"": "worklist.html", "sign-in": "sign-in.html", "people": "people.html", "study": "study.html"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; font-src 'self'; "
    "connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
DOCUMENT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; frame-ancestors 'self'; sandbox"
)
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
TYPES |= {".json": "application/json", ".png": "image/png", ".pdf": "application/pdf"}
CODE, NAME, PASSWORD = "SET-UP-CODE", "Dr. Test", "a long enough password"


@dataclass
class Study:
    """One study: its line, its counts by view, and the files of its reading."""

    line: dict[str, Any]
    views: dict[str, NDArray[Any]]
    files: dict[str, bytes]
    spacing_mm: float = 2.4
    versions: dict[int, dict[str, bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.versions = self.versions or {1: self.files}


@dataclass
class Department:
    """All that the stand-in knows."""

    studies: list[Study]
    people: list[dict[str, Any]]
    tokens: list[dict[str, Any]] = field(default_factory=list)
    signed_in: bool = True
    role: str = "admin"
    setup_needed: bool = False
    provider: str = ""
    changes: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    turn: threading.Condition = field(default_factory=threading.Condition)
    desk: Desk = field(default_factory=lambda: Desk(NAME, PASSWORD))

    def tell(self, uid: str, what: str) -> None:
        """Tell every page that waits."""
        with self.turn:
            self.changes.append({"number": len(self.changes) + 1, "study_uid": uid, "what": what})
            self.turn.notify_all()


def line(uid: str, name: str, state: str = "read", **more: Any) -> dict[str, Any]:
    """A line of the worklist."""
    reading = {"version": 1, "read_at": "2026-03-02T10:00:00Z", "conclusion": "Made up for a test.", "urgent": False}
    reading |= {"metastases_likelihood": 0.83, "bone_scan_index_percent": 1.234, "bone_findings": 2, "signed": False}
    made = {
        "study_uid": uid,
        "patient_name": name,
        "patient_id": f"ID{uid[-2:]}",
        "birth_date": "1950-05-17",
        "sex": "F",
    }
    made |= {"study_date": "2026-03-02", "study_time": "09:41:00", "accession_number": "A1", "description": "Bone scan"}
    made |= {"objects": 2, "state": state, "progress": "", "reason": "", "reading": None}
    made |= {"signing": None, "draft_by": "", "past": []}
    if state == "read":
        made["reading"] = reading | {"outdated": False} | more.pop("reading", {})
        signed = {"signed_by": NAME, "signed_at": reading["read_at"]} if made["reading"]["signed"] else {}
        made["past"] = [{"version": 1, "signed": bool(signed), "revised": False, "amends": None, **signed}]
    return made | more


def made_study(uid: str, name: str, *, dtype: str = "uint16", **more: Any) -> Study:
    """A study of a doll: two views with an ellipse of bone, a hot spot on the patient's left, and its reading."""
    rows, columns = 400, 200
    y, x = np.mgrid[:rows, :columns]
    rng = np.random.default_rng(7)
    views, regions, outlines = {}, {}, {}
    for view, sign in (("anterior", 1), ("posterior", -1)):
        spot = 100 + 35 * sign
        body = ((x - 100) / 55) ** 2 + ((y - 200) / 180) ** 2 < 1
        spine = (abs(x - 100) < 8) & (abs(y - 190) < 130)
        mean = 3 * body + 30 * spine + 160 * np.exp(-((x - spot) ** 2 + (y - 150) ** 2) / 40)
        views[view] = rng.poisson(mean).astype(dtype)
        regions[view] = np.where(spine, 3, np.where(body & (abs(y - 150) < 60), 4, 0)).astype(np.uint8)
        turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        outlines[view] = [[150 + 9 * float(np.sin(t)), spot + 9 * float(np.cos(t))] for t in turn]
    findings = [_finding(1, "A", outlines, False, name), _finding(2, "B", _moved(outlines, 90), True, name)]
    sentence = "Most likely metastatic: left rib 7 (A)."
    reading = {
        "scan": {
            "patient": {"age_years": 75.0},
            "delay_h": 3.1,
            "injection": {"radiopharmaceutical": "Tc-99m MDP", "activity_mbq": 600},
        },
        "impression": {
            "sentences": [sentence],
            "metastatic": 0.83,
            "metastatic_absent_reason": "",
            "advice": ["Look again."],
            "abstains": [],
        },
        "familiarity": {"familiar": True, "reasons": []},
        "labels": {"trusted": True, "regions": [{"id": 3, "name": "thoracic spine"}, {"id": 4, "name": "ribs"}]},
        "findings": findings,
        "burden": {
            "bone_scan_index_percent": 1.234,
            "uncertainty": 0.2,
            "bone_scan_index_absent_reason": "",
            "hot_spot_count": 1,
        },
        "quality": {
            "checks": [
                {"code": "c", "verdict": "warn", "text": "Few counts."},
                {"code": "d", "verdict": "pass", "text": ""},
            ]
        },
        "remarks": [],
    }
    files = {
        "reading.json": json.dumps(reading).encode(),
        "report.pdf": b"%PDF-1.7",
        "report.html": b"<!doctype html><p>Report",
    }
    files |= {f"regions_{view}.png": _png(ids) for view, ids in regions.items()}
    return Study(line(uid, name, **more), views, files)


def _finding(number: int, letter: str, outlines: dict[str, Any], normal: bool, name: str) -> dict[str, Any]:
    views = {}
    for view, outline in outlines.items():
        row, column = np.mean(outline, axis=0)
        peak = {"row": round(row), "column": round(column), "counts": 160, "x_mm": 80, "z_mm": 900}
        views[view] = {"outline": outline, "peak": peak, "area_mm2": 1400.0, "uptake_ratio": 4.2, "significance": 12.0}
    natures = {"physiologic": 0.9, "metastatic": 0.1} if normal else {"metastatic": 0.83, "traumatic": 0.17}
    evidence = [
        {"text": "Bright.", "weight": 2.0, "source": "made"},
        {"text": f"Named {name}.", "weight": -1.0, "source": "made"},
    ]
    made = {"id": number, "letter": letter, "kind": "bone", "polarity": "hot", "place": f"left rib {6 + number}"}
    made |= {"side": "left", "views": views, "uptake_ratio": 4.2, "uptake_reference": "this person's normal bone"}
    made |= {"significance": 12.0, "depth_mm": None, "depth_uncertainty": None, "mass_share_percent": 0.3}
    made |= {"in_burden": not normal, "reason": "Made up.", "likely_normal": normal, "natures": natures}
    return made | {"evidence": evidence, "likelihood": natures["metastatic"]}


def _moved(outlines: dict[str, Any], rows: float) -> dict[str, Any]:
    return {view: [[row + rows, column] for row, column in outline] for view, outline in outlines.items()}


def _png(ids: NDArray[np.uint8]) -> bytes:
    from io import BytesIO

    out = BytesIO()
    Image.fromarray(ids).save(out, "PNG")
    return out.getvalue()


@contextmanager
def serving(department: Department) -> Iterator[str]:
    """Serve a department on a free port of this machine; gives the address."""

    class Handler(_Handler):
        pass

    Handler.department = department
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    department: Department

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if parts[0] == "static":
            self._send(200, (STATIC / parts[1]).read_bytes(), TYPES[Path(parts[1]).suffix])
        elif parts[:2] == ["api", "v1"]:
            self._api("GET", parts[2:], {name: values[0] for name, values in parse_qs(query).items()}, {})
        elif parts[0] in PAGES:
            self._send(200, (STATIC / PAGES[parts[0]]).read_bytes(), TYPES[".html"])
        else:
            self._send(404, b"", "text/plain")

    def do_POST(self) -> None:
        self._body("POST")

    def do_PATCH(self) -> None:
        self._body("PATCH")

    def do_PUT(self) -> None:
        self._body("PUT")

    def do_DELETE(self) -> None:
        self._body("DELETE")

    def _body(self, method: str) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        if self.headers.get("X-CSRF-Token") != "token":
            return self._refuse(403, "The token is missing.")
        self._api(method, [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")][2:], {}, body)
        return None

    def _api(self, method: str, parts: list[str], query: dict[str, str], body: dict[str, Any]) -> None:
        here = self.department
        here.asked.append(f"{method} {'/'.join(parts)}")
        if parts == ["setup"]:
            if body["code"] != CODE:
                return self._refuse(403, "The set-up code is wrong.")
            here.setup_needed, here.signed_in = False, True
        if parts == ["session"] and method == "POST":
            if (body["name"], body["password"]) != (NAME, PASSWORD):
                return self._refuse(401, "Name or password is wrong.")
            here.signed_in = True
        if parts == ["session"] and method == "DELETE":
            here.signed_in = False
        if parts in (["session"], ["setup"]):
            user = {"name": NAME, "role": here.role} if here.signed_in else None
            return self._json(
                {
                    "user": user,
                    "csrf": "token",
                    "setup_needed": here.setup_needed,
                    "provider": here.provider,
                    "version": "0",
                }
            )
        if not here.signed_in:
            return self._refuse(401, "Sign in first.")
        if parts == ["users"] and method == "POST":
            here.people.append({"name": body["name"], "role": body["role"], "active": True})
        if parts[0] == "users" and method == "PATCH":
            next(one for one in here.people if one["name"] == parts[1]).update(body)
        if parts[0] == "users":
            return self._json({"users": here.people})
        if parts[0] == "tokens":
            return self._tokens(method, parts, body)
        if parts == ["changes"]:
            return self._changes(int(query["after"]))
        if parts == ["destinations"]:
            return self._json({"destinations": [{"ae_title": one} for one in here.desk.destinations]})
        if parts == ["studies"]:
            return self._json({"studies": [one.line for one in here.studies if self._wanted(one, query)], "next": None})
        study = next((one for one in here.studies if one.line["study_uid"] == parts[1]), None)
        if study is None:
            return self._refuse(404, "There is no such study.")
        if parts[2:3] == ["views"]:
            counts = study.views[parts[3]]
            names = {"X-Rows": str(counts.shape[0]), "X-Columns": str(counts.shape[1]), "X-Dtype": str(counts.dtype)}
            return self._send(200, counts.tobytes(), "application/octet-stream", names)
        if parts[2:3] in (["draft"], ["sendings"]):
            return self._at_desk(method, parts[2:], body, study)
        if parts[2:3] == ["readings"] and parts[4] in study.versions.get(int(parts[3]), {}):
            framed = {"Content-Security-Policy": DOCUMENT_POLICY}
            return self._send(200, study.versions[int(parts[3])][parts[4]], TYPES[Path(parts[4]).suffix], framed)
        if parts[2:] == ["read"]:
            return self._json({"state": "queued"}, 202)
        if parts[2:]:
            return self._refuse(404, "There is no such file.")
        return self._json(
            study.line | {"versions": self._versions(study), "views": [_view(study, name) for name in study.views]}
        )

    def _at_desk(self, method: str, parts: list[str], body: dict[str, Any], study: Study) -> None:
        here = self.department
        try:
            said, status = here.desk.answer(method, parts, body, study.line, study.versions)
        except Refusing as refusal:
            status, code, message = refusal.args
            return self._json({"error": {"code": code, "message": message}}, status)
        self._json(said, status)
        if method != "GET":
            here.tell(study.line["study_uid"], "draft")
        return None

    def _tokens(self, method: str, parts: list[str], body: dict[str, Any]) -> None:
        known = self.department.tokens
        if method == "POST":
            made = {"id": str(len(known)), "made_by": NAME, "made_at": "2026-03-02T10:00:00Z", "used_at": ""}
            known.insert(0, made | {"name": body["name"], "role": body["role"], "revoked_at": ""})
            return self._json(known[0] | {"token": "bonescan_shown-once"}, 201)
        if method == "DELETE":
            next(one for one in known if one["id"] == parts[1])["revoked_at"] = "2026-03-02T11:00:00Z"
        return self._json({"tokens": known})

    @staticmethod
    def _versions(study: Study) -> list[dict[str, Any]]:
        reading = study.line["reading"]
        if not reading:
            return []
        unsigned = {"signed_by": "", "signed_at": "", "amends": None, "outdated": False, "read_at": reading["read_at"]}
        return [unsigned | one for one in reversed(study.line["past"])]

    @staticmethod
    def _wanted(study: Study, query: dict[str, str]) -> bool:
        told = f"{study.line['patient_name']} {study.line['patient_id']}".lower()
        urgent = bool(study.line["reading"] and study.line["reading"]["urgent"])
        state = query.get("state", "")
        return query.get("search", "").lower() in told and (
            state in ("", study.line["state"]) or (state == "urgent" and urgent)
        )

    def _changes(self, after: int) -> None:
        here = self.department
        with here.turn:
            if after:
                here.turn.wait_for(lambda: len(here.changes) + 1 > after, timeout=20)
            new = here.changes[after - 1 :] if after else []
        self._json({"changes": new, "last": len(here.changes) + 1})

    def _json(self, said: Any, status: int = 200) -> None:
        self._send(status, json.dumps(said).encode(), TYPES[".json"])

    def _refuse(self, status: int, message: str) -> None:
        self._json({"error": {"code": str(status), "message": message}}, status)

    def _send(self, status: int, content: bytes, kind: str, names: dict[str, str] | None = None) -> None:
        try:
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Security-Policy": POLICY, **(names or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except (BrokenPipeError, ConnectionResetError):
            time.sleep(0)  # the page has gone


def _view(study: Study, name: str) -> dict[str, Any]:
    counts = study.views[name]
    size = {"rows": counts.shape[0], "columns": counts.shape[1], "largest": float(counts.max())}
    return {"name": name, "row_spacing_mm": study.spacing_mm, "column_spacing_mm": study.spacing_mm, **size}
