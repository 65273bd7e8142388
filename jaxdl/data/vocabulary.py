"""`Vocabulary`: characters or words, numbered, with what is not a token of the text in front."""

import collections
from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jaxdl import _checks
from jaxdl._tokens import END as END
from jaxdl._tokens import PADDING as PADDING
from jaxdl._tokens import START as START
from jaxdl._tokens import UNKNOWN as UNKNOWN
from jaxdl.data._validate import as_numbers, position
from jaxdl.errors import DtypeError, explain

SPECIAL = ("<padding>", "<start>", "<end>", "<unknown>")
UNITS = ("characters", "words")
_SHOWN = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of a text by number: 0 is the padding, 1 the start, 2 the end, 3 the unknown, then `tokens`.

    `Vocabulary.of` makes one of texts, its tokens sorted, so that the same texts give the same numbers.

    Args:
        tokens: the characters or words, numbered from 4 on in this order; all different.
        unit: ``"characters"`` or ``"words"``, which are what stands between blanks.

    Raises:
        DtypeError: tokens that are not strings.
        ValueError: no token, one that is there twice, or one that is no single character, or no word.

    >>> words = Vocabulary.of(["the cat", "the dog"], unit="words")
    >>> words.tokens, len(words)
    (('cat', 'dog', 'the'), 7)
    >>> words.encode("the bird", end=True).tolist()
    [6, 3, 2]
    >>> words.decode([1, 6, 5, 2, 0, 0])
    'the dog'
    """

    tokens: tuple[str, ...]
    unit: str = "characters"
    _numbers: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _checks.one_of("Vocabulary", "unit", self.unit, UNITS)
        tokens = tuple(self.tokens) if isinstance(self.tokens, Iterable) else (self.tokens,)
        # A set has another order in every process.
        if isinstance(self.tokens, Set) or any(not isinstance(token, str) for token in tokens):
            raise DtypeError(
                explain("Vocabulary", "tokens", got=f"{self.tokens!r}"[:80], expected="a tuple of strings",
                        fix="Vocabulary.of(texts)")
            )  # fmt: skip
        numbers = {token: number for number, token in enumerate(tokens, len(SPECIAL))}
        twice = next((token for i, token in enumerate(tokens, len(SPECIAL)) if numbers[token] != i), None)
        if twice is not None or not tokens:
            raise ValueError(
                explain("Vocabulary", "tokens", got="empty" if twice is None else f"{twice!r} twice",
                        expected="at least one token, each of them once", fix="Vocabulary.of(texts)")
            )  # fmt: skip
        whole = (lambda token: len(token) == 1) if self.unit == "characters" else _is_word
        strange = next((token for token in tokens if not whole(token)), None)
        if strange is not None:
            raise ValueError(
                explain("Vocabulary", "tokens", got=f"{strange!r} among {self.unit}",
                        expected="single characters" if self.unit == "characters" else "words without blanks",
                        fix="Vocabulary(tokens, unit=...), or Vocabulary.of(texts, unit=...)")
            )  # fmt: skip
        object.__setattr__(self, "tokens", tokens)
        object.__setattr__(self, "_numbers", numbers)

    @classmethod
    def of(cls, texts: Iterable[str], *, unit: str = "characters", minimum_count: int = 1) -> "Vocabulary":
        """Number the characters or words of texts, sorted; what is rarer than `minimum_count` is unknown.

        Args:
            texts: strings, those of the training set; one string is a single text.
            unit: ``"characters"`` or ``"words"``.
            minimum_count: how often a token must occur in all texts together.

        Returns:
            The `Vocabulary`.

        Raises:
            DtypeError: a text that is no string, or a count that is no whole number.
            ValueError: no token is left, or an argument out of range.
        """
        _checks.one_of("Vocabulary.of", "unit", unit, UNITS)
        least = _checks.positive_integer("Vocabulary.of", "minimum_count", minimum_count)
        counts: collections.Counter[str] = collections.Counter()
        for text in (texts,) if isinstance(texts, str) else texts:
            counts.update(_split("Vocabulary.of", "texts", text, unit))
        kept = tuple(sorted(token for token, count in counts.items() if count >= least))
        if not kept:
            raise ValueError(
                explain("Vocabulary.of", "texts", got=f"of {len(counts)} different {unit}",
                        expected=f"at least one {unit.removesuffix('s')} that occurs {least} times",
                        fix="a smaller minimum_count" if counts else "pass texts that are not empty")
            )  # fmt: skip
        return cls(kept, unit)

    def __len__(self) -> int:
        return len(SPECIAL) + len(self.tokens)

    @property
    def names(self) -> tuple[str, ...]:
        """A name for every number, the special ones too: the classes of a `Dataset` of tokens."""
        return SPECIAL + self.tokens

    def encode(self, text: str, *, start: bool = False, end: bool = False) -> np.ndarray:
        """Return the numbers of a text, int32 (tokens,); a token that is not in here is the unknown one.

        Args:
            text: the text; blanks between words are not kept.
            start: put the start in front.
            end: put the end behind.

        Returns:
            int32 array (tokens,).

        Raises:
            DtypeError: no string.
        """
        found = [
            self._numbers.get(token, UNKNOWN)
            for token in _split("Vocabulary.encode", "text", text, self.unit)
        ]
        return np.array([START] * bool(start) + found + [END] * bool(end), np.int32)

    def decode(self, ids: Any) -> str:
        """Return the text of numbers, up to the first end; start and padding are left out, unknown is \ufffd.

        Args:
            ids: whole numbers (tokens,) in [0, len).

        Returns:
            The text, words with a blank between them.

        Raises:
            DtypeError: no whole numbers.
            ValueError: not one sequence, or a number out of range, such as the -1 of `jaxdl.sampling` where
                the logits were NaN.
        """
        numbers = self._checked("decode", ids)
        if numbers.ndim != 1:
            raise ValueError(
                explain("Vocabulary.decode", "ids", got=f"of shape {numbers.shape}", expected="(tokens,)",
                        fix="decode one sequence at a time")
            )  # fmt: skip
        (ends,) = np.nonzero(numbers == END)
        shown = numbers[: ends[0]] if ends.size else numbers
        tokens = [
            _SHOWN if number == UNKNOWN else self.names[number]
            for number in shown.tolist()
            if number not in (PADDING, START)
        ]
        return ("" if self.unit == "characters" else " ").join(tokens)

    def one_hot(self, ids: Any) -> np.ndarray:
        """Return numbers as rows with a single 1: float32 (..., len).

        Args:
            ids: whole numbers (...) in [0, len).

        Returns:
            float32 array (..., len); the padding has a row of its own too.

        Raises:
            DtypeError: no whole numbers.
            ValueError: a number out of range.
        """
        return np.eye(len(self), dtype=np.float32)[self._checked("one_hot", ids)]

    def _checked(self, method: str, ids: Any) -> np.ndarray:
        op = f"Vocabulary.{method}"
        numbers = as_numbers(op, "ids", ids)
        if numbers.dtype.kind not in "iu" and numbers.size:
            raise DtypeError(
                explain(op, "ids", got=f"of dtype {numbers.dtype}", expected="whole numbers",
                        fix="ids.astype(np.int32)")
            )  # fmt: skip
        bad = (numbers < 0) | (numbers >= len(self))
        if bad.any():
            index = np.unravel_index(int(np.argmax(bad)), numbers.shape)
            where = position(index) if numbers.ndim > 1 else f"position {index[0]}" if index else "once"
            raise ValueError(
                explain(op, "ids", got=f"{numbers[bad][0]} at {where}",
                        expected=f"numbers in [0, {len(self)}), those of this vocabulary",
                        fix="encode and decode with one vocabulary")
            )  # fmt: skip
        return numbers.astype(np.int64)


def _is_word(token: str) -> bool:
    return token.split() == [token]


def _split(op: str, argument: str, text: Any, unit: str) -> list[str]:
    if not isinstance(text, str):
        raise DtypeError(
            explain(op, argument, got=f"a {type(text).__name__}", expected="a string",
                    fix="pass text, such as a line of a file")
        )  # fmt: skip
    return list(text) if unit == "characters" else text.split()
