"""The order of examples: a pure function of its key and the epoch."""

import jax
import numpy as np
import pytest

from jaxdl.errors import DtypeError
from jaxdl.train import batch_order, steps_per_epoch

ORDER = jax.random.key(3)


def order(epoch: int, examples: int = 103, batch_size: int = 10, shuffle: str = "permutation") -> np.ndarray:
    return np.asarray(batch_order(ORDER, epoch, examples=examples, batch_size=batch_size, shuffle=shuffle))


def test_permutation_sees_an_example_at_most_once_and_differs_by_epoch() -> None:
    first, second = order(0), order(1)
    assert first.shape == (10, 10)
    assert len(set(first.ravel())) == 100
    assert (first != second).any()
    np.testing.assert_array_equal(first, order(0))


def test_permutation_is_uniform() -> None:
    counts = np.zeros((4, 4))
    epochs = 2000
    draw = jax.jit(jax.vmap(lambda e: batch_order(ORDER, e, examples=4, batch_size=4)))
    for row in np.asarray(draw(np.arange(epochs))).reshape(epochs, 4):
        counts[np.arange(4), row] += 1
    # A chi-square of 9 degrees of freedom exceeds 27.9 once in a thousand.
    assert (((counts - epochs / 4) ** 2) / (epochs / 4)).sum() < 27.9


def test_none_goes_on_where_the_last_epoch_stopped() -> None:
    stream = np.concatenate([order(e, 7, 3, "none").ravel() for e in range(7)])
    np.testing.assert_array_equal(stream, np.arange(42) % 7)


def test_replacement_draws_examples_twice() -> None:
    drawn = order(0, shuffle="replacement")
    assert drawn.min() >= 0
    assert drawn.max() < 103
    assert len(set(drawn.ravel())) < 100


def test_refuses() -> None:
    with pytest.raises(ValueError, match="'batch_size' is 11; expected at most 10, the examples"):
        steps_per_epoch(10, 11)
    with pytest.raises(ValueError, match="'permutation', 'replacement', 'none'"):
        order(0, shuffle="yes")
    with pytest.raises(DtypeError, match="typed PRNG key"):
        batch_order(0, 0, examples=4, batch_size=2)
