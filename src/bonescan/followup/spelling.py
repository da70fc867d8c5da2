"""One thing written in different ways: names, sexes, nuclides, tracers and makers as headers spell them.

Made comparable here; nothing of it is shown, it only decides whether two headers say the same.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["same_name", "same_nuclide", "same_sex", "same_tracer", "same_words"]

_SEXES = {"m": "m", "male": "m", "man": "m", "f": "f", "female": "f", "woman": "f"}
_ELEMENTS = {"technetium": "tc", "tc": "tc", "fluorine": "f", "fluoride": "f", "f": "f"}
_NUCLIDES = {"tc": "99m", "f": "18"}
_TRACERS = (
    (re.compile(r"\bmdp\b|medron"), "mdp"),
    (re.compile(r"\bhm?dp\b|oxidron"), "hdp"),
    (re.compile(r"\bdpd\b|butedron"), "dpd"),
    (re.compile(r"\bpyp\b|pyrophosph"), "pyp"),
    (re.compile(r"\bna ?f\b|fluorid"), "naf"),
)


def same_words(text: str | None) -> str:
    """A text without what is only typing: capitals, accents, punctuation, DICOM's carets and doubled spaces.

    Parameters
    ----------
    text : str or None

    Returns
    -------
    str
        Empty where nothing is said.

    Examples
    --------
    >>> same_words("SIEMENS, Symbia_T2")
    'siemens symbia t2'
    """
    bare = "".join(one for one in unicodedata.normalize("NFKD", text or "") if not unicodedata.combining(one))
    return " ".join(re.sub(r"[\W_]+", " ", bare.casefold()).split())


def same_name(text: str | None) -> str:
    """A person's name whatever its case and the order of its parts.

    Parameters
    ----------
    text : str or None

    Returns
    -------
    str

    Examples
    --------
    >>> same_name("DOE^JOHN") == same_name("John  Doe")
    True
    """
    written = next((group for group in (text or "").split("=") if same_words(group)), "")  # DICOM's scripts of one name
    return " ".join(sorted(same_words(written).split()))


def same_sex(text: str | None) -> str:
    """``"m"`` or ``"f"``; empty where the header says neither.

    Parameters
    ----------
    text : str or None

    Returns
    -------
    str

    Examples
    --------
    >>> same_sex("Male"), same_sex("M "), same_sex("O")
    ('m', 'm', '')
    """
    return _SEXES.get(same_words(text), "")


def same_nuclide(text: str | None) -> str:
    """A nuclide as element and mass number.

    Parameters
    ----------
    text : str or None

    Returns
    -------
    str

    Examples
    --------
    >>> {same_nuclide(text) for text in ("Tc-99m", "99mTc", "^99m^Technetium", "TC 99M", "Technetium Tc^99m^")}
    {'tc99m'}
    """
    words = same_words(text)
    for element, mass in _NUCLIDES.items():
        names = "|".join(name for name, own in _ELEMENTS.items() if own == element)
        if re.search(rf"(?<![a-z])({names}) ?{mass}\b|\b{mass} ?({names})(?![a-z])", words):
            return element + mass
    return words.replace(" ", "")


def same_tracer(text: str | None) -> str:
    """A bone-seeking tracer by its usual abbreviation, else its words without the nuclide's spelling.

    Parameters
    ----------
    text : str or None

    Returns
    -------
    str

    Examples
    --------
    >>> same_tracer("Technetium Tc^99m^ medronate"), same_tracer("MDP"), same_tracer("99mTc-HDP")
    ('mdp', 'mdp', 'hdp')
    """
    words = same_words(text)
    return next((name for pattern, name in _TRACERS if pattern.search(words)), words)
