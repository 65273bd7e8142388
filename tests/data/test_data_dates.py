"""Dates in human form: one meaning for every text, all different, the calendar right."""

import datetime
import itertools
from typing import Any

import pytest

from jaxdl.data import dates
from jaxdl.data.dates import CASES, LANGUAGES, _styles, _write
from jaxdl.errors import DtypeError


def test_every_text_has_one_meaning() -> None:
    """Each style of each language, in each case, for all days of a leap year and the ends of the range."""
    meaning: dict[str, datetime.date] = {}
    days = [datetime.date(2012, 1, 1) + datetime.timedelta(n) for n in range(366)]
    days += [datetime.date(year, month, 11) for year in (1970, 2011, 2069) for month in range(1, 13)]
    for day, (language, style) in itertools.product(days, _styles(tuple(LANGUAGES))):
        text = _write(day, language, style)
        for spelled in {case(text) for case in CASES}:
            assert meaning.setdefault(spelled, day) == day, spelled
    assert len(meaning) > 20_000


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        (
            "english",
            ["February 3, 2001", "Feb 3, 2001", "3 February 2001", "3 Feb 2001", "Feb 03 2001",
             "February 3rd, 2001", "3rd February 2001", "the 3rd of February, 2001",
             "Saturday, February 3, 2001", "Saturday 3 February 2001", "Sat 3 Feb 2001", "2/3/2001",
             "02/03/2001", "2/3/01", "3-Feb-2001", "2001/02/03"],
        ),
        (
            "german",
            ["3. Februar 2001", "3. Feb. 2001", "Samstag, 3. Februar 2001", "Samstag, den 3. Februar 2001",
             "03.02.2001", "3.2.2001", "3.2.01", "3. 2. 2001"],
        ),
        ("french", ["3 février 2001", "le 3 février 2001", "samedi 3 février 2001", "3 févr. 2001"]),
        (
            "spanish",
            ["3 de febrero de 2001", "sábado, 3 de febrero de 2001", "el 3 de febrero del 2001",
             "3 feb. 2001"],
        ),
    ],
)  # fmt: skip
def test_styles(language: str, texts: list[str]) -> None:
    """Each style of each language, of one day."""
    day = datetime.date(2001, 2, 3)
    assert [_write(day, *style) for style in _styles((language,))] == texts


def test_names_ordinals_and_the_first_of_the_month() -> None:
    assert all(
        len(part.split()) == 12 for words in LANGUAGES.values() for part in (words.months, words.short)
    )
    assert all(len(words.days.split()) == 7 for words in LANGUAGES.values())
    found = [
        _write(datetime.date(2001, 1, day), "english", "{nth}")
        for day in (1, 2, 3, 4, 11, 12, 13, 21, 22, 31)
    ]
    assert found == ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "31st"]
    assert _write(datetime.date(2001, 1, 1), "french", "{first} {month}") == "1er janvier"


def test_all_different_and_repeatable() -> None:
    texts, answers = dates(3000, seed=4, first_year=1990, last_year=2009)
    assert len(set(texts)) == len(answers) == 3000
    assert dates(3000, seed=4, first_year=1990, last_year=2009) == (texts, answers)
    assert dates(3000, seed=5, first_year=1990, last_year=2009)[0] != texts
    parsed = [datetime.date.fromisoformat(answer) for answer in answers]
    assert {day.year for day in parsed} == set(range(1990, 2010))
    english, _ = dates(300, languages=("english",))
    assert not any(name in text for text in english for name in ("januar ", "janvier", "enero"))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"count": 0}, ValueError, "'count' is 0"),
        ({"count": 2.5}, DtypeError, "a whole number"),
        ({"seed": -1}, ValueError, "'seed' is -1"),
        ({"count": 2000, "last_year": 1970}, ValueError, "at most 1825, 5 a day of the years"),
        ({"last_year": 2070}, ValueError, "Fix: last_year=2069"),
        ({"last_year": 1969}, ValueError, "at least 1970"),
        ({"first_year": 999}, ValueError, "at least 1000"),
        ({"languages": ()}, ValueError, "one language or more"),
        ({"languages": ("latin",)}, ValueError, "one of 'english', 'german', 'french', 'spanish'"),
    ],
)
def test_bad_input_is_named(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        dates(**({"count": 5} | options))
