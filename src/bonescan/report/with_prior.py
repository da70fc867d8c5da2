"""What a report says of the comparison with an earlier scan: what changed, the index, whether both compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from bonescan.errors import InvalidValue
from bonescan.reading.model import Verdict
from bonescan.report.figures import decimals, signed
from bonescan.report.language import Language, wording

__all__ = ["comparison_section", "is_of", "refuse_another"]

_STYLES = ("new", "rose", "fell", "same", "gone", "unclear", "look")
_PLACES_NAMED = 5


def is_of(comparison: Mapping[str, Any], study_uid: str | None) -> bool:
    """Say whether a comparison's current scan is that of a study.

    Parameters
    ----------
    comparison : mapping
        As ``comparison.json`` holds it.
    study_uid : str or None

    Returns
    -------
    bool
    """
    return bool(study_uid) and _scan(comparison, "current")["study_uid"] == study_uid


def refuse_another(comparison: Mapping[str, Any], record: Mapping[str, Any]) -> None:
    """Refuse a comparison whose current scan is not the one reported.

    Parameters
    ----------
    comparison, record : mapping
        As ``comparison.json`` and ``reading.json`` hold them.

    Raises
    ------
    InvalidValue
    """
    if not is_of(comparison, record["scan"]["study_uid"]):
        raise InvalidValue("The comparison is one of another scan than the one reported; give that of this study.")


def comparison_section(comparison: Mapping[str, Any] | None, tongue: Language) -> dict[str, Any]:
    """Return what the report says of the comparison with the scan before.

    Parameters
    ----------
    comparison : mapping or None
        As ``comparison.json`` holds it; ``None`` where there is none.
    tongue : Language

    Returns
    -------
    dict
        ``heading``, ``rows`` of a label and paragraphs, ``note``; without rows where there is no comparison.
    """
    w = tongue.words["comparison"]
    if comparison is None:
        return {"heading": "", "rows": [], "note": ""}
    pages, latest = wording("comparison", tongue.code), comparison["latest"]
    return {
        "heading": w["heading"].format(date=_scan(comparison, "prior")["on"] or pages["undated"]),
        "rows": [
            [w["changes"], _changes(latest, pages, tongue)],
            [w["index"], _index(latest["bone_scan_index"], w, tongue)],
            [w["comparable"], _comparable(latest, pages, tongue)],
        ],
        "note": w["note"],
    }


def _scan(comparison: Mapping[str, Any], which: str) -> Mapping[str, Any]:
    scan: Mapping[str, Any] = comparison["scans"][comparison["latest"][f"{which}_scan"]]
    return scan


def _changes(latest: Mapping[str, Any], pages: Mapping[str, Any], tongue: Language) -> list[str]:
    """What became of the lesions, counted, and the places of new ones; then the faint places."""
    said, joint = pages["summary"], str(tongue.words["joint"])
    told = [*latest["lesions"], *latest["unmarked"]]
    lesions, faint = ([one for one in told if one["faint_place"] is which] for which in (False, True))
    number = Counter(one["style"] for one in lesions)
    counted = joint.join(
        text for style in _STYLES if (text := said[style][min(number[style], 2)].format(count=number[style]))
    )
    if not lesions:
        counted = said["only_faint" if faint else "nothing"]
    texts = [counted[:1].upper() + counted[1:] + str(tongue.words["stop"])]
    new = [tongue.place(one["place"]) for one in lesions if one["style"] == "new"]
    if new:
        more = said["more_named"].format(count=len(new) - _PLACES_NAMED) if len(new) > _PLACES_NAMED else ""
        texts.append(said["named"].format(places=joint.join(new[:_PLACES_NAMED]) + more))
    if faint:
        among = Counter(one["style"] for one in faint)
        changes = joint.join(
            said["faint_places"][style].format(count=among[style]) for style in _STYLES if among[style]
        )
        texts.append(said["faint"].format(changes=changes))
    if number["fell"] or number["gone"]:
        texts.append(said["no_benefit"])
    return texts


def _index(index: Mapping[str, Any], w: Mapping[str, Any], tongue: Language) -> list[str]:
    """The index then and now, and its change in percentage points against what a repeated scan changes alone."""
    change = index["change"]
    before, now, by = (change[name]["value"] for name in ("prior", "current", "difference"))
    if by is None or before is None or now is None:
        return [tongue.say(index["text"])]
    figures = {"prior": decimals(before, 2, tongue), "current": decimals(now, 2, tongue)}
    limit = decimals(index["repeatability_percent"], 1, tongue)
    form = w["index_beyond" if index["flagged"] else "index_within"]
    return [form.format(points=signed(by, 2, tongue), limit=limit, **figures)]


def _comparable(latest: Mapping[str, Any], pages: Mapping[str, Any], tongue: Language) -> list[str]:
    """Whether both scans compare, and the gravest reason why not."""
    cards, checks = pages["cards"], latest["comparability"]["checks"]
    failed = [
        check["text"] for grave in (Verdict.WITHHOLD, Verdict.WARN) for check in checks if check["verdict"] == grave
    ]
    fits = latest["alignment"]["trusted"]
    grade = 3 if not fits else 2 if latest["comparability"]["withholds_burden"] else 1 if failed else 0
    sound = cards["sound"][grade] + str(tongue.words["stop"])
    if failed:
        reserve = cards["reserve_note"].format(count=len(failed), all=len(checks), first=tongue.say(failed[0]))
        return [sound, reserve]
    return [sound, cards["sound_note"]] if fits else [sound]
