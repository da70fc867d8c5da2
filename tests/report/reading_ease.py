"""How hard a text is to read, by a measure made for its language; each says a school grade."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["CHINESE_LEVEL_1", "MEASURES", "Ease", "chinese", "english", "german", "sentences", "spanish"]

CHINESE_LEVEL_1 = frozenset(
    bytes([row, cell]).decode("gb2312")
    for row in range(0xB0, 0xD8)
    for cell in range(0xA1, 0xFF)
    if (row, cell) < (0xD7, 0xFA)
)
"""GB 2312-80, first level: 3,755 characters in commonest use, rows 16 to 55."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ease:
    """A school grade, and the words (in Chinese the characters) of the longest sentence."""

    grade: float
    longest_sentence: int


def sentences(texts: Sequence[str]) -> list[str]:
    """Sentences of texts; a line of a list is one, a heading or a name of fewer than four words is none."""
    parts = [
        part for text in texts for part in re.split(r"(?<=[.?!:])\s+|(?<=[。？！；：])", re.sub(r"\{\w+\}", "9", text))
    ]
    return [part for part in parts if len(_words(part)) >= 4 or len(re.findall("[一-鿿]", part)) >= 6]


def _words(sentence: str) -> list[str]:
    return re.findall(r"[^\W\d_]+(?:['-][^\W\d_]+)*", sentence)


def english(parts: Sequence[str]) -> Ease:
    """Flesch-Kincaid grade: 0.39 words/sentence + 11.8 syllables/word - 15.59 (Kincaid et al. 1975).

    Every vowel but the second of a usual pair counts as a syllable, silent ones too: never fewer than a dictionary's.
    """
    words = [word for part in parts for word in _words(part)]
    syllables = sum(
        max(1, len(re.findall("[aeiouy]", re.sub("ou|ea|ai|ee|oo|ay|oy|ie|oi|au", "e", word.lower()))))
        for word in words
    )
    return Ease(
        grade=0.39 * len(words) / len(parts) + 11.8 * syllables / len(words) - 15.59,
        longest_sentence=max(len(_words(part)) for part in parts),
    )


def german(parts: Sequence[str]) -> Ease:
    """First Wiener Sachtextformel, a grade of 4 to 15 (Bamberger and Vanecek 1984).

    0.1935 MS + 0.1672 SL + 0.1297 IW - 0.0327 ES - 0.875: percent of words of three syllables and more, words to a
    sentence, percent of words of more than six letters, percent of words of one syllable.
    """
    words = [word for part in parts for word in _words(part)]
    syllables = [max(1, len(re.findall("aa|ee|oo|ie|ei|ai|au|eu|äu|ey|[aeiouyäöü]", word.lower()))) for word in words]
    percent = 100 / len(words)
    return Ease(
        grade=0.1935 * percent * sum(count >= 3 for count in syllables)
        + 0.1672 * len(words) / len(parts)
        + 0.1297 * percent * sum(len(word) > 6 for word in words)
        - 0.0327 * percent * sum(count == 1 for count in syllables)
        - 0.875,
        longest_sentence=max(len(_words(part)) for part in parts),
    )


def spanish(parts: Sequence[str]) -> Ease:
    """Perspicuity 206.835 - 62.3 syllables/word - words/sentence (Szigriszt-Pazos 1993), as a grade by INFLESZ.

    INFLESZ was validated on texts for patients (Barrio-Cantalejo et al. 2008): 65 to 80 is "rather easy", what primary
    school reads, 55 to 65 "normal", secondary school. Between them a grade is drawn: 80 is 6, 65 is 8, on a line.
    """
    words = [word for part in parts for word in _words(part)]
    syllables = 0
    for word in words:
        plain = re.sub("qu(?=[eiéí])|gu(?=[eiéí])", "g", word.lower())
        plain = re.sub("y(?=[aeiouáéíóú])", "l", plain)  # a consonant before a vowel
        # a weak vowel beside another vowel, without an accent of its own, makes no syllable
        plain = re.sub("[iuü](?=[aeoáéó])|(?<=[aeoáéó])[iuyü]|(?<=i)u|(?<=u)[iy]", "", plain)
        syllables += max(1, len(re.findall("[aeiouyáéíóúü]", plain)))
    perspicuity = 206.835 - 62.3 * syllables / len(words) - len(words) / len(parts)
    return Ease(grade=6 + 2 * (80 - perspicuity) / (80 - 65), longest_sentence=max(len(_words(part)) for part in parts))


def chinese(parts: Sequence[str]) -> Ease:
    """Average number of sentences per hundred characters, as a grade.

    Materials of more than 10 are simple, 6 to 10 primary, fewer intermediate or difficult (criteria used for patients'
    materials in China). As a grade: 10 is 4, 6 is 8, on a line. There is no accepted formula for grades of Chinese.
    """
    lengths = [len(re.findall("[一-鿿]", part)) for part in parts]
    for_hundred = 100 * len(lengths) / sum(lengths)
    return Ease(grade=4 + 4 * (10 - for_hundred) / (10 - 6), longest_sentence=max(lengths))


MEASURES: Mapping[str, Callable[[Sequence[str]], Ease]] = {
    "en": english,
    "de": german,
    "es": spanish,
    "zh": chinese,
}
