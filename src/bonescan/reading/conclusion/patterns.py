"""Patterns over a whole scan: rules that a physician can read and correct, weighed on measured signs.

The rules stand in ``data/patterns.toml``. Each names its signs; for every sign two numbers, ``no`` and ``yes``: at
``no`` and beyond the sign speaks against the pattern with its full weight ``against``, at ``yes`` and beyond for it
with its full ``weight``, and between them in proportion ::

    f = clip((value - no) / (yes - no), 0, 1)
    w = weight (2 f - 1)    where f >= 1/2,    against (2 f - 1)    elsewhere
    log-odds = start + sum of w over the signs that could be measured

``start`` says how rare the pattern is before anything is seen. From `PRESENT` on a pattern is called present, from
`POSSIBLE` on possible; a sign marked ``must`` has to speak for a pattern that is called present, and where it cannot be
measured the pattern is not judged. All weights are bonescan's own design, chosen on simulated people; sums of weights
are an order of likelihood, not calibrated probabilities.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from bonescan.errors import InvalidValue
from bonescan.reading.conclusion.signs import SIGNS, Sign
from bonescan.reading.model import Evidence, Pattern, Presence

__all__ = ["POSSIBLE", "PRESENT", "Clue", "Judgement", "Rule", "judge", "packaged_rules", "read_rules"]

PRESENT, POSSIBLE = 1.5, 0.0
"""[D] Log-odds from which a pattern is called present (about 0.82 if weights were calibrated) and possible (0.5)."""

TELLING = 0.2
"""Weights below stand in no sentence: the sign lies halfway."""

FILE = "patterns.toml"
_KINDS = ("metastatic", "benign", "technical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clue:
    """What one sign says of a pattern.

    Parameters
    ----------
    sign : str
        One of `bonescan.reading.conclusion.signs.SIGNS`.
    no, yes : float
        Values that speak fully against and fully for; either may be the larger.
    weight, against : float
        Change of the log-odds at ``yes`` and, downwards, at ``no``; not negative.
    must : bool
        Whether the pattern cannot be without it.
    says_for, says_against : str
        Sentences with ``{value}`` and ``{where}``; empty where the weight is 0.
    source : str
    """

    sign: str
    no: float
    yes: float
    weight: float
    against: float
    must: bool
    says_for: str
    says_against: str
    source: str

    def log_odds(self, value: float) -> float:
        """Change of the log-odds by a value of the sign (see the module's equation)."""
        fraction = min(max((value - self.no) / (self.yes - self.no), 0.0), 1.0)
        return (2 * fraction - 1) * (self.weight if fraction >= 0.5 else self.against)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One pattern as the data tell it.

    Parameters
    ----------
    code, name : str
    kind : str
        ``"metastatic"``, ``"benign"`` or ``"technical"``: what it means for whoever looks for metastases.
    start : float
        Log-odds before any sign.
    present, possible : str
        Sentences of the impression, with ``{where}`` of the first clue.
    clues : tuple of Clue
    made_of : tuple of str
        Signs whose findings the pattern is made of.
    rivals : tuple of str
        Codes of patterns of which at most one is called present.
    advice : tuple of str
    source, uncertainty : str
    limits : str
        What a scan with this pattern keeps from being judged, and why; empty where it hides nothing.
    """

    code: str
    name: str
    kind: str
    start: float
    present: str
    possible: str
    clues: tuple[Clue, ...]
    made_of: tuple[str, ...]
    rivals: tuple[str, ...]
    advice: tuple[str, ...]
    source: str
    uncertainty: str
    limits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a rule came to on one scan.

    Parameters
    ----------
    rule : Rule
    log_odds : float
        Start and all weights.
    presence : Presence or None
        ``None`` where the pattern is not there.
    pattern : Pattern
        With its evidence, as a reading gives it where it is present, possible or not judged.
    """

    rule: Rule
    log_odds: float
    presence: Presence | None
    pattern: Pattern
    sentence: str


def read_rules(text: str) -> tuple[Rule, ...]:
    """Read rules and refuse what cannot be meant.

    Parameters
    ----------
    text : str
        TOML, as ``data/patterns.toml``.

    Returns
    -------
    tuple of Rule
        In the order of the file, the most important first.

    Raises
    ------
    InvalidValue
        For text that is no TOML, an unknown key or sign, a missing sentence, source or uncertainty, or numbers that
        order nothing; with the pattern and the key.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidValue(f"{FILE} is no valid TOML: {error}.", got=str(error)) from error
    rules = tuple(_rule(table, f"pattern {number}") for number, table in enumerate(tables.get("pattern", ()), start=1))
    codes = [rule.code for rule in rules]
    if not rules or len(set(codes)) != len(codes) or set(tables) - {"pattern"}:
        raise InvalidValue(
            f"{FILE}: expected only [[pattern]] tables, at least one, no code twice; got {codes}.", got=codes
        )
    for rule in rules:
        unknown = set(rule.rivals) - set(codes)
        if unknown:
            raise _refusal(rule.code, "rivals", "codes of other patterns", sorted(unknown))
    return rules


@cache
def packaged_rules() -> tuple[Rule, ...]:
    """Return the rules that come with bonescan.

    Returns
    -------
    tuple of Rule
    """
    return read_rules(resources.files("bonescan.reading").joinpath("data", FILE).read_text(encoding="utf-8"))


def judge(signs: Mapping[str, Sign], rules: Sequence[Rule] | None = None) -> tuple[Judgement, ...]:
    """Weigh every pattern on the signs of one scan.

    Parameters
    ----------
    signs : mapping of str to Sign
        Of `bonescan.reading.conclusion.signs.read_signs`.
    rules : sequence of Rule, optional
        The packaged ones by default.

    Returns
    -------
    tuple of Judgement
        One for every rule: present first, then possible, not judged and absent ones, each in the order of the rules.
    """
    judged = [_weigh(rule, signs) for rule in (packaged_rules() if rules is None else rules)]
    best = {one.rule.code: one.log_odds for one in judged if one.presence is Presence.PRESENT}
    order = {Presence.PRESENT: 0, Presence.POSSIBLE: 1, Presence.NOT_JUDGED: 2, None: 3}
    settled = [_beside_rivals(one, best, signs) for one in judged]
    return tuple(sorted(settled, key=lambda one: order[one.presence]))


def _weigh(rule: Rule, signs: Mapping[str, Sign]) -> Judgement:
    total, evidence, missing, denied = rule.start, [], False, False
    for clue in rule.clues:
        sign = signs[clue.sign]
        value = sign.measured.value
        if value is None:
            missing |= clue.must
            continue
        weight = clue.log_odds(value)
        total += weight
        denied |= clue.must and weight <= 0
        text = clue.says_for if weight > 0 else clue.says_against
        if abs(weight) >= TELLING and text:
            said = text.format(value=value, where=sign.where)
            evidence.append(Evidence(text=said, weight=round(weight, 2), source=clue.source))
    presence: Presence | None
    if missing:
        presence = Presence.NOT_JUDGED
    elif total >= PRESENT and not denied:
        presence = Presence.PRESENT
    else:
        presence = Presence.POSSIBLE if total >= POSSIBLE and not denied else None
    return _judgement(rule, total, presence, evidence, signs)


def _judgement(
    rule: Rule, total: float, presence: Presence | None, evidence: Iterable[Evidence], signs: Mapping[str, Sign]
) -> Judgement:
    strongest = sorted(evidence, key=lambda one: -abs(one.weight))
    first = signs[rule.clues[0].sign]
    where = first.where
    sentence = rule.present if presence is Presence.PRESENT else rule.possible
    pattern = Pattern(
        code=rule.code,
        name=rule.name,
        presence=presence or Presence.POSSIBLE,
        evidence_for=tuple(one for one in strongest if one.weight > 0),
        evidence_against=tuple(one for one in strongest if one.weight < 0),
        findings=tuple(sorted({number for name in rule.made_of for number in signs[name].findings})),
        advice=rule.advice,
        source=rule.source,
        uncertainty=rule.uncertainty,
    )
    return Judgement(
        rule=rule, log_odds=total, presence=presence, pattern=pattern, sentence=sentence.format(where=where)
    )


def _beside_rivals(one: Judgement, best: Mapping[str, float], signs: Mapping[str, Sign]) -> Judgement:
    """Step back from present to possible where a rival is likelier."""
    stronger = [code for code in one.rule.rivals if best.get(code, -1e9) > one.log_odds]
    if one.presence is not Presence.PRESENT or not stronger:
        return one
    evidence = (*one.pattern.evidence_for, *one.pattern.evidence_against)
    return _judgement(one.rule, one.log_odds, Presence.POSSIBLE, evidence, signs)


def _rule(table: Mapping[str, Any], place: str) -> Rule:
    code = _text(table, "code", place)
    names = set(Rule.__dataclass_fields__) | {"clue"}
    _only(table, names - {"clues"}, code)
    kind = _text(table, "kind", code)
    if kind not in _KINDS:
        raise _refusal(code, "kind", f"one of {', '.join(_KINDS)}", kind)
    clues = tuple(_clue(one, f"{code}, clue {number}") for number, one in enumerate(table.get("clue", ()), start=1))
    if not any(clue.must for clue in clues):
        raise _refusal(code, "clue", "at least one with must = true", len(clues))
    rule = Rule(
        code=code,
        name=_text(table, "name", code),
        kind=kind,
        start=_number(table, "start", code),
        present=_text(table, "present", code),
        possible=_text(table, "possible", code),
        clues=clues,
        made_of=_texts(table, "made_of", code),
        rivals=_texts(table, "rivals", code),
        advice=_texts(table, "advice", code),
        source=_text(table, "source", code),
        uncertainty=_text(table, "uncertainty", code),
        limits=_text(table, "limits", code) if "limits" in table else "",
    )
    for name in rule.made_of:
        if name not in SIGNS:
            raise _refusal(code, "made_of", "names of signs", name)
    for key in ("present", "possible"):
        _fills(getattr(rule, key), {"where"}, code, key)
    return rule


def _clue(table: Mapping[str, Any], place: str) -> Clue:
    _only(table, set(Clue.__dataclass_fields__), place)
    sign = _text(table, "sign", place)
    if sign not in SIGNS:
        raise _refusal(place, "sign", f"one of {', '.join(SIGNS)}", sign)
    no, yes = _number(table, "no", place), _number(table, "yes", place)
    if no == yes:
        raise _refusal(place, "yes", "another number than no", yes)
    weights = {key: _number(table, key, place) for key in ("weight", "against")}
    for key, value in weights.items():
        if not 0 <= value <= 10:
            raise _refusal(place, key, "a weight from 0 to 10", value)
    says = {}
    for key, by in (("says_for", "weight"), ("says_against", "against")):
        says[key] = _text(table, key, place) if weights[by] > 0 else str(table.get(key, ""))
        _fills(says[key], {"value", "where"}, place, key)
    return Clue(
        sign=sign,
        no=no,
        yes=yes,
        weight=weights["weight"],
        against=weights["against"],
        must=bool(table.get("must", False)),
        says_for=says["says_for"],
        says_against=says["says_against"],
        source=_text(table, "source", place),
    )


def _only(table: Mapping[str, Any], known: set[str], place: str) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise _refusal(place, unknown[0], f"one of the keys {', '.join(sorted(known))}", unknown[0])


def _text(table: Mapping[str, Any], key: str, place: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        raise _refusal(place, key, "some text", value)
    return value


def _texts(table: Mapping[str, Any], key: str, place: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise _refusal(place, key, "a list of texts", value)
    return tuple(value)


def _number(table: Mapping[str, Any], key: str, place: str) -> float:
    value = table.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _refusal(place, key, "a number", value)
    return float(value)


def _fills(text: str, names: set[str], place: str, key: str) -> None:
    """Refuse a sentence with a placeholder that nothing fills."""
    try:
        asked = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
        text.format(value=1.0, where="")
    except (KeyError, ValueError, IndexError) as error:
        raise _refusal(place, key, f"a sentence with no placeholder but {sorted(names)}", text) from error
    if asked - names:
        raise _refusal(place, key, f"a sentence with no placeholder but {sorted(names)}", text)


def _refusal(place: str, key: str, expected: str, got: object) -> InvalidValue:
    return InvalidValue(f"{FILE}, {place}, {key}: expected {expected}, got {got!r}.", place=place, key=key, got=got)
