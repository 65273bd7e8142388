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


def chi_square(counts: np.ndarray) -> float:
    """Return the excess of a chi-square statistic over its mean, in standard deviations."""
    expected = counts.mean()
    freedom = counts.size - 1
    return float((((counts - expected) ** 2 / expected).sum() - freedom) / np.sqrt(2 * freedom))


@pytest.mark.parametrize(("examples", "epochs"), [(4, 4000), (300, 6000), (257, 6000)])
def test_permutation_is_uniform(examples: int, epochs: int) -> None:
    draw = jax.jit(jax.vmap(lambda e: batch_order(ORDER, e, examples=examples, batch_size=examples)))
    drawn = np.asarray(draw(np.arange(epochs))).reshape(epochs, examples)
    assert (np.sort(drawn, axis=1) == np.arange(examples)).all()
    where, after = np.zeros((examples, examples)), np.zeros(examples)
    for row in drawn:
        where[np.arange(examples), row] += 1
        after += np.bincount((row[1:] - row[:-1]) % examples, minlength=examples)
    assert abs(chi_square(where)) < 5
    # The step from one example to the next is never 0, and every other step is as likely.
    assert after[0] == 0
    assert abs(chi_square(after[1:])) < 5


@pytest.mark.parametrize("examples", [256, 257, 1000, 1024, 4097, 60_000])
def test_permutation_of_any_length_is_one(examples: int) -> None:
    np.testing.assert_array_equal(np.sort(order(7, examples, examples).ravel()), np.arange(examples))


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
