"""The stand-in's drafts, signatures and sendings: edits on plain JSON, and a burden that follows by plain sums."""

from __future__ import annotations

import copy
import json
import string
from dataclasses import dataclass, field
from typing import Any

BENIGN = ("traumatic", "degenerative", "inflammatory", "other benign")


class Refusing(Exception):
    """What the workstation would refuse: status, code, message."""


@dataclass
class Desk:
    """Drafts of all studies; who asks is always the same person."""

    me: str
    password: str
    drafts: dict[str, dict[str, Any]] = field(default_factory=dict)
    undone: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    sendings: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    destinations: list[str] = field(default_factory=lambda: ["PACS", "ARCHIVE"])
    broken: bool = False
    """Whether edits are answered 503."""

    def answer(
        self,
        method: str,
        parts: list[str],
        body: dict[str, Any],
        line: dict[str, Any],
        files: dict[int, dict[str, bytes]],
    ) -> tuple[Any, int]:
        """Answer /studies/{uid}/draft..., /sendings."""
        uid = line["study_uid"]
        if parts == ["sendings"]:
            return self._sendings(method, uid, body)
        draft = self.drafts.get(uid)
        if parts == ["draft"]:
            return self._draft(method, uid, draft, body, line)
        if draft is None:
            raise Refusing(404, "no_draft", "There is no draft of this study.")
        base = json.loads(files[draft["version"]]["reading.json"])
        if parts[1] == "reading":
            return self._revised(draft, base), 200
        if self.broken:
            raise Refusing(503, "busy", "The desk is busy.")
        if draft["author"] != self.me:
            raise Refusing(409, "taken", f"{draft['author']} has the draft.")
        if body["number"] != draft["number"]:
            raise Refusing(409, "stale", "The draft has changed.")
        if parts[1] == "sign":
            return self._sign(uid, draft, base, body, line, files)
        if parts[1] == "text":
            draft["text"] = {name: said for name, said in (draft["text"] | body["text"]).items() if said}
            draft["language"] = body["language"]
        elif parts[1] == "undo":
            self.undone[uid].append(draft["edits"].pop())
        elif parts[1] == "redo":
            draft["edits"].append(self.undone[uid].pop())
        else:
            revised(base, [*draft["edits"], body["edit"]])  # refuses what cannot be
            draft["edits"].append(body["edit"])
            self.undone[uid] = []
        draft["number"] += 1
        draft |= {"can_undo": bool(draft["edits"]), "can_redo": bool(self.undone[uid])}
        return (draft, 200) if parts[1] == "text" else (self._revised(draft, base), 200)

    def _draft(
        self, method: str, uid: str, draft: dict[str, Any] | None, body: dict[str, Any], line: dict[str, Any]
    ) -> tuple[Any, int]:
        if method == "GET":
            return {"draft": draft}, 200
        if method == "DELETE":
            self.drafts.pop(uid, None)
            line["draft_by"] = ""
            return {}, 200
        if draft is not None and draft["author"] != self.me and not body["take_over"]:
            raise Refusing(409, "taken", f"{draft['author']} has the draft.")
        if draft is None:
            draft = {"version": body["version"], "number": 1, "changed_at": "2026-03-02T10:00:00Z", "edits": []}
            draft |= {"can_undo": False, "can_redo": False, "text": {}, "language": "en"}
            self.drafts[uid] = draft
        self.undone.setdefault(uid, [])
        draft["author"] = line["draft_by"] = self.me
        return draft, 200

    @staticmethod
    def _revised(draft: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
        sentences = base["impression"]["sentences"]
        said = {"en": sentences, "de": [f"Auf Deutsch: {one}" for one in sentences]}
        return {"draft": draft, "reading": revised(base, draft["edits"]), "said": said}

    def _sign(
        self,
        uid: str,
        draft: dict[str, Any],
        base: dict[str, Any],
        body: dict[str, Any],
        line: dict[str, Any],
        files: dict[int, dict[str, bytes]],
    ) -> tuple[Any, int]:
        if body["password"] != self.password:
            raise Refusing(403, "wrong_password", "The password is wrong.")
        signed = [one["version"] for one in line["past"] if one["signed"]]
        if signed and not body["reason"]:
            raise Refusing(422, "reason", "Say why the signed reading is amended.")
        if not draft["text"].get("interpretation.text"):
            raise Refusing(422, "interpretation", "Write the interpretation first.")
        version = max(files) + 1
        files[version] = files[draft["version"]] | {"reading.json": json.dumps(revised(base, draft["edits"])).encode()}
        stamp = {"signed_by": self.me, "signed_at": "2026-03-02T11:00:00Z", "amends": max(signed, default=None)}
        line["past"].append({"version": version, "signed": True, "revised": True, **stamp})
        line["reading"] |= {"version": version, "signed": True}
        line["draft_by"] = ""
        del self.drafts[uid]
        self.sendings.setdefault(uid, []).append(_sending("PACS", version, "sent"))
        return {"state": "signing"}, 202

    def _sendings(self, method: str, uid: str, body: dict[str, Any]) -> tuple[Any, int]:
        sent = self.sendings.setdefault(uid, [])
        if method == "POST":
            sent.extend(_sending(to, body["version"], "failed") for to in body["to"])
            return {}, 202
        return {"sendings": sent}, 200


def _sending(to: str, version: int, state: str) -> dict[str, Any]:
    reason = "The peer does not answer." if state == "failed" else ""
    return {"to": to, "version": version, "state": state, "reason": reason, "at": "2026-03-02T11:01:00Z"}


def revised(base: dict[str, Any], edits: list[dict[str, Any]]) -> dict[str, Any]:
    """Apply edits to a reading's content; the index is the sum of shares that count, the rest is left as it was."""
    reading = copy.deepcopy(base)
    findings = {one["id"]: one for one in reading["findings"]}
    used = max(findings, default=0)
    for edit in edits:
        named = [edit["finding"]] if "finding" in edit else edit.get("findings", [])
        if any(number not in findings for number in named):
            raise Refusing(422, "edit", "There is no such finding.")
        if edit["do"] in ("draw", "split"):
            used += 1
        _APPLIED[edit["do"]](findings, edit, used)
    reading["findings"] = list(findings.values())
    counted = [one for one in reading["findings"] if one["in_burden"]]
    reading["burden"]["hot_spot_count"] = len(counted)
    reading["burden"]["bone_scan_index_percent"] = sum(one["mass_share_percent"] for one in counted)
    letters = ", ".join(one["letter"] for one in counted)
    reading["impression"]["sentences"] = [f"Most likely metastatic: {letters}." if letters else "Nothing metastatic."]
    return reading


def _fresh(like: dict[str, Any], number: int) -> dict[str, Any]:
    letter = string.ascii_uppercase[number - 1]
    return copy.deepcopy(like) | {"id": number, "letter": letter, "drawn_by": "physician", "judged_by": "reader"}


def _seen(outline: list[list[float]]) -> dict[str, Any]:
    rows, columns = [p[0] for p in outline], [p[1] for p in outline]
    turned = list(zip(outline, outline[1:] + outline[:1], strict=True))
    area = abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in turned)) / 2 * 2.4**2
    middle = {"row": round(sum(rows) / len(rows)), "column": round(sum(columns) / len(columns))}
    peak = middle | {"counts": 100, "x_mm": 0, "z_mm": 900}
    return {"outline": outline, "peak": peak, "area_mm2": area, "uptake_ratio": 3.0, "significance": 9.0}


def _measured(finding: dict[str, Any]) -> None:
    finding["mass_share_percent"] = round(sum(seen["area_mm2"] for seen in finding["views"].values()) / 9000, 4)


def _draw(findings: dict[int, dict[str, Any]], edit: dict[str, Any], number: int) -> None:
    made = _fresh(next(iter(findings.values())), number)
    made |= {
        "place": "left 9th rib",
        "bone": "rib_09_l",
        "kind": edit["kind"],
        "natures": {"metastatic": 0.7, "traumatic": 0.3},
    }
    made["views"] = {view: _seen(outline) for view, outline in edit["outlines"].items()}
    made["in_burden"] = True
    _measured(made)
    findings[number] = made


def _reshape(findings: dict[int, dict[str, Any]], edit: dict[str, Any], number: int) -> None:
    finding = findings[edit["finding"]]
    if edit["outline"]:
        finding["views"][edit["view"]] = _seen(edit["outline"])
    elif len(finding["views"]) > 1:
        del finding["views"][edit["view"]]
    else:
        raise Refusing(422, "edit", "That is its last view; delete the finding.")
    finding["drawn_by"] = "physician"
    _measured(finding)


def _split(findings: dict[int, dict[str, Any]], edit: dict[str, Any], number: int) -> None:
    old = findings[edit["finding"]]
    outline = old["views"][edit["view"]]["outline"]
    (r1, c1), (r2, c2) = edit["line"]
    sides = [(r2 - r1) * (c - c1) - (c2 - c1) * (r - r1) > 0 for r, c in outline]
    parts = [[p for p, one in zip(outline, sides, strict=True) if one is side] for side in (True, False)]
    if min(map(len, parts)) < 3:
        raise Refusing(422, "edit", "The line does not part the finding.")
    made = _fresh(old, number)
    made["views"] = {edit["view"]: _seen(parts[1])}
    old["views"][edit["view"]] = _seen(parts[0])
    old["drawn_by"] = "physician"
    findings[number] = made
    _measured(old)
    _measured(made)


def _merge(findings: dict[int, dict[str, Any]], edit: dict[str, Any], number: int) -> None:
    first, second = (findings[one] for one in edit["findings"])
    for view, seen in second["views"].items():
        first["views"].setdefault(view, seen)
    first["drawn_by"] = "physician"
    _measured(first)
    del findings[second["id"]]


def _delete(findings: dict[int, dict[str, Any]], edit: dict[str, Any], number: int) -> None:
    del findings[edit["finding"]]


def _change(findings: dict[int, dict[str, Any]], edit: dict[str, Any], number: int) -> None:
    finding = findings[edit["finding"]]
    if edit.get("bone"):
        finding |= {"bone": edit["bone"], "place": edit["bone"].replace("_", " ")}
    if "nature" in edit or "kind" in edit:
        nature = edit.get("nature", "")
        finding["judged_by"] = "physician" if nature or edit.get("kind", "bone") != "bone" else "reader"
        finding["natures"] = {nature: 1.0} if nature else {"metastatic": 0.83, "traumatic": 0.17}
        finding["likely_normal"] = False
        finding["kind"] = edit.get("kind", "bone")
        finding["in_burden"] = finding["kind"] == "bone" and nature not in BENIGN


_APPLIED = {
    "draw": _draw,
    "reshape": _reshape,
    "split": _split,
    "merge": _merge,
    "delete": _delete,
    "change": _change,
}
