"""Dates as people write them, in four languages, and as ISO 8601 has them: pairs to translate."""

import datetime
from typing import NamedTuple

import numpy as np

from jaxdl import _checks
from jaxdl.errors import explain


class Language(NamedTuple):
    """How a language writes dates: its names, abbreviations, and styles as format strings."""

    months: str
    short: str
    days: str
    styles: tuple[str, ...]


LANGUAGES = {
    "english": Language(
        "January February March April May June July August September October November December",
        "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
        "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
        (
            "{month} {d}, {y}", "{mon} {d}, {y}", "{d} {month} {y}", "{d} {mon} {y}", "{mon} {dd} {y}",
            "{month} {nth}, {y}", "{nth} {month} {y}", "the {nth} of {month}, {y}", "{day}, {month} {d}, {y}",
            "{day} {d} {month} {y}", "{abc} {d} {mon} {y}", "{m}/{d}/{y}", "{mm}/{dd}/{y}", "{m}/{d}/{yy}",
            "{d}-{mon}-{y}", "{y}/{mm}/{dd}",
        ),
    ),
    "german": Language(
        "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
        "Jan. Feb. März Apr. Mai Juni Juli Aug. Sept. Okt. Nov. Dez.",
        "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
        (
            "{d}. {month} {y}", "{d}. {mon} {y}", "{day}, {d}. {month} {y}", "{day}, den {d}. {month} {y}",
            "{dd}.{mm}.{y}", "{d}.{m}.{y}", "{d}.{m}.{yy}", "{d}. {m}. {y}",
        ),
    ),
    "french": Language(
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
        "lundi mardi mercredi jeudi vendredi samedi dimanche",
        ("{first} {month} {y}", "le {first} {month} {y}", "{day} {first} {month} {y}", "{first} {mon} {y}"),
    ),
    "spanish": Language(
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "ene. feb. mar. abr. may. jun. jul. ago. sept. oct. nov. dic.",
        "lunes martes miércoles jueves viernes sábado domingo",
        (
            "{d} de {month} de {y}", "{day}, {d} de {month} de {y}", "el {d} de {month} del {y}",
            "{d} {mon} {y}",
        ),
    ),
}  # fmt: skip
CASES = (str, str, str, str.lower, str.upper)


def dates(
    count: int,
    *,
    seed: int = 0,
    first_year: int = 1970,
    last_year: int = 2069,
    languages: tuple[str, ...] = tuple(LANGUAGES),
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Draw dates in many human styles, all different, each with its ISO form yyyy-mm-dd.

    English, German, French and Spanish: months by name or number, weekdays, ordinals, years of two digits, in
    small or capital letters too. Every text has one meaning: slashes are month/day/year, or year/month/day
    where the year comes first, dots day.month.year, and years of two digits stand for those between the first
    and the last one. So no text of one call is another's twin: whatever part is held out was never seen.

    Args:
        count: how many.
        seed: a whole number; the same seed draws the same dates.
        first_year: the first year, at least 1000.
        last_year: the last year; fewer than 100 years after the first one, at most 9999.
        languages: of ``"english"``, ``"german"``, ``"french"`` and ``"spanish"``; each style of each is as
            likely as any other.

    Returns:
        The human texts and the ISO texts, two tuples of `count` strings.

    Raises:
        DtypeError: numbers that are not whole.
        ValueError: a number out of range, an unknown language, or more than 5 dates a day of the years.

    >>> texts, answers = dates(3, seed=1)
    >>> texts
    ('27. april 2017', 'Jan 17, 2065', 'el 18 de abril del 2052')
    >>> answers
    ('2017-04-27', '2065-01-17', '2052-04-18')
    """
    count = _checks.positive_integer("dates", "count", count)
    days = _days(first_year, last_year)
    styles = _styles(languages)
    if count > 5 * len(days):
        raise ValueError(
            explain("dates", "count", got=count, expected=f"at most {5 * len(days)}, 5 a day of the years",
                    fix="a smaller count, or more years")
        )  # fmt: skip
    rng = np.random.default_rng(_checks.positive_integer("dates", "seed", seed, least=0))
    found: dict[str, str] = {}
    while len(found) < count:
        day = days.start + int(rng.integers(len(days)))
        language, style = styles[rng.integers(len(styles))]
        date = datetime.date.fromordinal(day)
        text = CASES[rng.integers(len(CASES))](_write(date, language, style))
        found.setdefault(text, date.isoformat())
    return tuple(found), tuple(found.values())


def _write(date: datetime.date, language: str, style: str) -> str:
    """Return a date in one style of a language."""
    words = LANGUAGES[language]
    day = words.days.split()[date.weekday()]
    endings = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd", 31: "st"}
    return style.format(
        d=date.day, dd=f"{date.day:02}", m=date.month, mm=f"{date.month:02}", y=date.year,
        yy=f"{date.year % 100:02}", month=words.months.split()[date.month - 1],
        mon=words.short.split()[date.month - 1], day=day, abc=day[:3],
        nth=f"{date.day}{endings.get(date.day, 'th')}", first="1er" if date.day == 1 else date.day,
    )  # fmt: skip


def _days(first_year: int, last_year: int) -> range:
    """Return the ordinal numbers of all days of the years."""
    first = _checks.positive_integer("dates", "first_year", first_year, least=1000)
    last = _checks.positive_integer("dates", "last_year", last_year, least=first)
    if last - first > 99 or last > 9999:
        raise ValueError(
            explain("dates", "last_year", got=last, fix=f"last_year={min(first + 99, 9999)}",
                    expected=f"at most {min(first + 99, 9999)}, as two digits tell a hundred years apart")
        )  # fmt: skip
    end = datetime.date(last, 12, 31).toordinal() + 1
    return range(datetime.date(first, 1, 1).toordinal(), end)


def _styles(languages: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the pairs of a language and one of its styles."""
    chosen = (languages,) if isinstance(languages, str) else tuple(languages)
    if not chosen:
        raise ValueError(
            explain("dates", "languages", got="()", expected="one language or more",
                    fix="languages=('english',)")
        )  # fmt: skip
    for language in chosen:
        _checks.one_of("dates", "languages", language, tuple(LANGUAGES))
    return [(language, style) for language in chosen for style in LANGUAGES[language].styles]
