"""Generated sequences against what they say they are, told by loops."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from jaxdl.data import BRACKETS, adding, brackets, copying
from jaxdl.errors import DtypeError

KEY = jax.random.key(0)


def test_adding_marks_one_number_in_each_half() -> None:
    x, y = (np.asarray(part) for part in adding(KEY, 50, length=7))
    assert set(np.unique(x[..., 1])) == {0.0, 1.0}
    assert (x[:, :3, 1].sum(1) == 1).all()
    assert (x[:, 3:, 1].sum(1) == 1).all()
    assert x[..., 1].any(0).all()
    np.testing.assert_allclose(y[:, 0], [row[row[:, 1] == 1, 0].sum() for row in x], rtol=1e-6)
    assert abs(np.mean((y - 1) ** 2) - 1 / 6) < 0.06


def test_copying_says_the_symbols_again_after_the_delay() -> None:
    tokens, targets = (np.asarray(part) for part in copying(KEY, 40, delay=5, symbols=4, length=3))
    for given, wanted in zip(tokens, targets, strict=True):
        said = given[:3].tolist()
        assert given[3:].tolist() == [1] * 4 + [2] + [1] * 3
        assert wanted.tolist() == [1] * 8 + said
    assert set(tokens[:, :3].ravel()) == {3, 4, 5, 6}


def partners(tokens: np.ndarray) -> list[int]:
    waiting, tags = [], [3 if token >= 2 else int(token) for token in tokens]
    for place, token in enumerate(tokens):
        if token == 2:
            waiting.append(place)
        elif token == 3 and waiting:
            tags[place] = tags[waiting.pop()] = 2
    return tags


def test_brackets_are_tagged_as_a_stack_tags_them() -> None:
    tokens, tags = (np.asarray(part) for part in brackets(KEY, 60, length=12, shortest=5))
    assert tags.tolist() == [partners(row) for row in tokens]
    lengths = (tokens != 0).sum(1)
    assert (lengths.min(), lengths.max()) == (5, 12)
    assert all((row[:length] > 0).all() for row, length in zip(tokens, lengths, strict=True))
    assert set(tags.ravel()) == set(range(len(BRACKETS)))


@pytest.mark.parametrize(
    ("draw", "options", "error", "words"),
    [
        (adding, {"count": 0}, ValueError, "'count' is 0"),
        (adding, {"length": 1}, ValueError, "at least 2"),
        (adding, {"length": 9.5}, DtypeError, "whole number"),
        (adding, {"key": 0}, DtypeError, "a typed PRNG key"),
        (copying, {"delay": 0}, ValueError, "'delay' is 0"),
        (copying, {"symbols": 0}, ValueError, "'symbols' is 0"),
        (copying, {"length": "3"}, DtypeError, "whole number"),
        (brackets, {"shortest": 30}, ValueError, "'length' is 24; expected at least 30"),
        (brackets, {"shortest": 0}, ValueError, "at least 1"),
        (brackets, {"key": None}, DtypeError, "jax.random.key"),
    ],
)
def test_what_is_refused(
    draw: Callable[..., Any], options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        draw(**{"key": KEY, "count": 2, **options})
