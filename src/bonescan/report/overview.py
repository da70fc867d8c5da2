"""The report at a glance: who was examined and how, what stands out in one sentence, in cards, in the pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from bonescan.measurement import Measurement
from bonescan.reading.findings.natures import COUNTED_FROM
from bonescan.reading.model import Kind, Nature, Polarity, Verdict
from bonescan.report.conclusion import familiarity_card
from bonescan.report.figures import decimals, measured, rounded, short, tracer_name, two_digits
from bonescan.report.finding_tables import ended, sorted_out
from bonescan.report.language import Language

__all__ = [
    "WORST_FIRST",
    "cards",
    "counts_metastases",
    "examined_at",
    "in_a_sentence",
    "index_of",
    "patient_rows",
    "plate_section",
    "procedure_rows",
    "unjudged",
]

WORST_FIRST = {Verdict.WITHHOLD: 0, Verdict.WARN: 1, Verdict.UNKNOWN: 2, Verdict.PASS: 3}
"""Order in which the outcomes of quality checks are told."""

_LETTERS_LISTED = 12
_CHECKS_NAMED = 2
_REGIONS_NAMED = 3


def examined_at(record: Mapping[str, Any], tongue: Language) -> str:
    """Return day and time of the examination, or that they are not stated.

    Parameters
    ----------
    record : mapping
        The reading, as ``reading.json`` holds it.
    tongue : Language

    Returns
    -------
    str
    """
    return _time(record["scan"]["acquired_at"]) or str(tongue.words["not_stated"])


def _time(stated: str | None) -> str:
    return datetime.fromisoformat(stated).strftime("%Y-%m-%d %H:%M") if stated else ""


def patient_rows(record: Mapping[str, Any], tongue: Language, without: Sequence[str] = ()) -> list[list[str]]:
    """Return who was examined, and when.

    Parameters
    ----------
    record : mapping
    tongue : Language
    without : sequence of str
        Keys of rows that are left out.

    Returns
    -------
    list of [label, text]
    """
    w, scan = tongue.words["patient"], record["scan"]
    person = scan["patient"]
    name = ", ".join(part for part in (person["name"] or "").split("^", 1) if part).replace("^", " ")
    age = w["years"].format(age=f"{person['age_years']:.0f}") if person["age_years"] is not None else ""
    size = [
        f"{decimals(person['stature_m'], 2, tongue)} m" if person["stature_m"] is not None else "",
        f"{person['weight_kg']:.0f} kg" if person["weight_kg"] is not None else "",
    ]
    rows = [
        ("name", w["name"], name.strip()),
        ("patient_id", w["patient_id"], person["patient_id"]),
        (
            "birth_date",
            w["birth_date" if person["birth_date"] or not age else "age"],
            _joined([person["birth_date"] or "", age], tongue),
        ),
        ("sex", w["sex"], w.get((person["sex"] or "").strip().upper(), person["sex"]) if person["sex"] else ""),
        ("stature", w["stature"], _joined(size, tongue)),
        ("examined", w["examined"], _time(scan["acquired_at"])),
        ("study", w["study"], scan["study_description"]),
    ]
    return _stated(rows, without, tongue)


def procedure_rows(record: Mapping[str, Any], tongue: Language, without: Sequence[str] = ()) -> list[list[str]]:
    """Return how the examination was done, as the file tells it.

    Parameters
    ----------
    record : mapping
    tongue : Language
    without : sequence of str
        Keys of rows that are left out.

    Returns
    -------
    list of [label, text]
    """
    w, scan = tongue.words["procedure"], record["scan"]
    injection, device = scan["injection"], scan["device"]
    injected = [
        tracer_name(injection["radiopharmaceutical"] or injection["radionuclide"] or ""),
        f"{injection['activity_mbq']:.0f} MBq" if injection["activity_mbq"] is not None else "",
        _time(injection["injected_at"]),
    ]
    delay = f"{decimals(scan['delay_h'], 1, tongue)} h" if scan["delay_h"] is not None else ""
    camera = " ".join(part for part in (device["manufacturer"], device["model"]) if part)
    collimator = w["collimator"].format(name=device["collimator"]) if device.get("collimator") else ""
    views = [
        w["view"].format(view=tongue.words["views"][name], counts=rounded(view["total_counts"], -3, tongue))
        for name, view in scan["views"].items()
        if view["total_counts"] is not None
    ]
    rows = [
        ("injected", w["injected"], _joined(injected, tongue)),
        ("delay", w["delay"], delay),
        ("device", w["device"], _joined([camera, collimator], tongue)),
        ("views", w["views"], _joined([w["whole_body" if scan["whole_body"] else "spot"], *views], tongue)),
    ]
    return _stated(rows, without, tongue)


def _stated(rows: Iterable[tuple[str, str, str | None]], without: Sequence[str], tongue: Language) -> list[list[str]]:
    return [[label, value or str(tongue.words["not_stated"])] for key, label, value in rows if key not in without]


def _joined(parts: Iterable[str], tongue: Language) -> str:
    return str(tongue.words["fact_joint"]).join(part for part in parts if part)


def _hot(findings: Iterable[Mapping[str, Any]]) -> int:
    return sum(finding["polarity"] == Polarity.HOT for finding in findings)


def in_a_sentence(record: Mapping[str, Any], tongue: Language) -> str:
    """Say in plain words how much was found and where most of it lies: counts, no diagnosis.

    Parameters
    ----------
    record : mapping
    tongue : Language

    Returns
    -------
    str
    """
    from bonescan.anatomy import REGION_NAMES
    from bonescan.anatomy import bone as bone_named

    w, joint = tongue.words["sentence"], tongue.words["joint"]
    bone, normal, other = sorted_out(record)

    def number(what: str, count: int) -> str:
        return str(w[what][min(count, 2)].format(count=count))

    kinds = Counter(finding["kind"] for finding in other)
    *listed, last = [
        *([number("normal", len(normal))] if normal else []),
        number("physiologic", kinds[Kind.PHYSIOLOGIC]),
        number("artefact", kinds[Kind.ARTEFACT]),
    ]
    apart = w["apart"].format(listed=joint.join(listed) + tongue.words["and"] + last)
    if bone:
        hot = _hot(bone)
        found = w["found"].format(hot=number("hot", hot), cold=number("cold", len(bone) - hot))
        regions = Counter(
            bone_named(finding["bone"]).region if finding["bone"] else finding["region"] for finding in bone
        ).most_common()
        form = w["all_in"] if len(regions) <= _REGIONS_NAMED else w["most_in"]
        named = joint.join(
            w["place"].format(
                name=tongue.phrase(REGION_NAMES[region]) if region in REGION_NAMES else w["elsewhere"], count=count
            )
            for region, count in regions[:_REGIONS_NAMED]
        )
        found += form.format(places=named)
    else:
        found = w["nothing"]
    trust = [] if record["labels"]["trusted"] or not bone else [w["untrusted"]]
    end = w["no_diagnosis"] if bone else w["not_excluded"]
    return str(tongue.words["space"].join([found + apart, *trust, end]))


def index_of(record: Mapping[str, Any]) -> Measurement:
    """Return the Bone Scan Index of a reading, or why it is absent.

    Parameters
    ----------
    record : mapping

    Returns
    -------
    Measurement
    """
    burden = record["burden"]
    value = burden["bone_scan_index_percent"]
    return Measurement(
        value=value,
        unit="%",
        uncertainty=None if value is None else burden["uncertainty"],
        method="",
        absent_reason=burden["bone_scan_index_absent_reason"],
    )


def cards(record: Mapping[str, Any], tongue: Language) -> list[dict[str, str]]:
    """Return what stands out, in cards.

    Parameters
    ----------
    record : mapping
    tongue : Language

    Returns
    -------
    list of dict
        ``label``, ``value``, ``note``, ``tone``.
    """
    w = tongue.words["summary"]
    bone, _, other = sorted_out(record)
    hot, burden = _hot(bone), record["burden"]
    first = tongue.words["clause_joint"].join(
        w["findings_one"].format(
            letter=finding["letter"],
            place=tongue.place(finding["place"]),
            ratio=two_digits(finding["uptake_ratio"], tongue),
        )
        for finding in bone[:4]
    )
    index = index_of(record)
    checks = record["quality"]["checks"]
    labels = record["labels"]
    correlations = _joined(
        (f"{tongue.words['views_within'][name]} {decimals(view['correlation'], 2, tongue)}"
        for name, view in labels["views"].items() if view["correlation"] is not None), tongue
    )  # fmt: skip
    table = burden["mass_table"]
    return [
        {
            "label": w["findings"],
            "value": w["findings_value"].format(count=len(bone), hot=hot, cold=len(bone) - hot)
            if bone
            else w["findings_none"],
            "note": w["findings_note"].format(first=first) if bone else w["findings_none_note"],
            "tone": "plain",
        },
        {
            "label": w["burden"],
            "value": measured(index, tongue) if index.value is not None else tongue.words["not_given"],
            "note": w[_burden_note(record)].format(
                counted=burden["hot_spot_count"], hot=hot, table=tongue.phrase(table)
            )
            + unjudged(record, tongue)
            if index.value is not None
            else ended(tongue.say(index.absent_reason), tongue),
            "tone": "plain" if index.value is not None else "bad",
        },
        {
            "label": w["quality"],
            "value": _joined(
                (
                    w[f"quality_{verdict.value}"][count > 1].format(count=count)
                    for verdict in WORST_FIRST
                    if (count := sum(check["verdict"] == verdict for check in checks))
                ),
                tongue,
            )
            or w["quality_unchecked"],
            "note": _quality_note(checks, tongue),
            "tone": _tone(check["verdict"] for check in checks),
        },
        {
            "label": w["labels"],
            "value": w["labels_trusted"] if labels["trusted"] else w["labels_untrusted"],
            "note": w["labels_trusted_note"].format(correlations=correlations)
            if labels["trusted"]
            else w["labels_untrusted_note"],
            "tone": "plain" if labels["trusted"] else "bad",
        },
        *familiarity_card(record, tongue),
        {
            "label": w["others"],
            "value": w["others_value"].format(count=len(other)),
            "note": w["others_note"],
            "tone": "plain",
        },
    ]


def counts_metastases(record: Mapping[str, Any]) -> bool:
    """Say whether the index counts what is likelier metastatic than not, and that alone.

    Where no network read and no physician judged, findings count by place and level, whatever their cause.

    Parameters
    ----------
    record : mapping

    Returns
    -------
    bool
    """
    of_bone = [
        one
        for one in record["findings"]
        if one["kind"] == Kind.BONE and one["polarity"] == Polarity.HOT and one["bone"]
    ]
    return all(
        bool(one.get("natures")) and one["in_burden"] == (one["natures"][Nature.METASTATIC] >= COUNTED_FROM)
        for one in of_bone
    )


def _burden_note(record: Mapping[str, Any]) -> str:
    if not record["burden"]["hot_spot_count"]:
        return "burden_none_note"
    return "burden_judged_note" if counts_metastases(record) else "burden_note"


def unjudged(record: Mapping[str, Any], tongue: Language) -> str:
    """Say that no finding has a probability, where none has.

    Parameters
    ----------
    record : mapping
    tongue : Language

    Returns
    -------
    str
        To be put behind a sentence.
    """
    judged = any(finding.get("natures") for finding in record["findings"])
    return "" if judged else f"{tongue.words['space']}{tongue.words['summary']['burden_unjudged']}"


def _quality_note(checks: Iterable[Mapping[str, Any]], tongue: Language) -> str:
    """Say what the worst checks found, and how many more there are."""
    w = tongue.words["summary"]
    doubtful = sorted(
        (check for check in checks if check["verdict"] != Verdict.PASS), key=lambda check: WORST_FIRST[check["verdict"]]
    )
    if not doubtful:
        return str(w["quality_all"])
    texts = [tongue.say(check["text"]) for check in doubtful[:_CHECKS_NAMED]]
    more = len(doubtful) - len(texts)
    return str(tongue.words["space"].join([*texts, *([w["quality_more"].format(count=more)] if more else [])]))


def _tone(verdicts: Iterable[str]) -> str:
    worst = set(verdicts)
    return "bad" if Verdict.WITHHOLD in worst else "warn" if worst - {Verdict.PASS} else "plain"


def plate_section(
    record: Mapping[str, Any],
    windows: Mapping[str, tuple[float, float]],
    without_letter: Sequence[str],
    tongue: Language,
    *,
    cropped: bool,
) -> dict[str, Any]:
    """Return what stands at the large pictures of the views.

    Parameters
    ----------
    record : mapping
    windows : mapping of str to (lower, upper)
        The counts drawn white and black, by view.
    without_letter : sequence of str
        Letters that found no room.
    tongue : Language
    cropped : bool
        Whether empty field was left out.

    Returns
    -------
    dict
    """
    words = tongue.words
    w, names = words["plate"], words["views"]
    spans = words["clause_joint"].join(
        w["window"].format(view=names[view], lower=short(lower, tongue), upper=short(upper, tongue))
        for view, (lower, upper) in windows.items()
    )
    texts = [w["caption"].format(windows=spans) if spans else w["caption_unwindowed"], w["outlines"], w["coordinates"]]
    texts += [w["marks"]] if w["marks"] else []
    texts += [w["cropped"]] if cropped else []
    views = record["scan"]["views"]
    if not all(view["spacing_known"] for view in views.values()):
        texts.append(w["spacing_assumed"])
    if without_letter:
        few = len(without_letter) <= _LETTERS_LISTED
        ends = {"first": without_letter[0], "last": without_letter[-1], "count": len(without_letter)}
        letters = words["joint"].join(without_letter) if few else w["letters_between"].format(**ends)
        texts.append(w["without_letter"].format(letters=letters))
    if len(views) == 1:
        texts.append(w["one_view"].format(view=words["views_within"][next(iter(views))]))
    return {
        "heading": w["heading"],
        "caption": words["space"].join(texts),
        "alt": w["alt"].format(views=" / ".join(names[view] for view in views), count=len(record["findings"])),
    }
