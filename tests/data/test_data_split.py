"""Splits: disjoint, exhaustive, repeatable, and every class where it ought to be."""

from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxdl.data import Dataset, load_diabetes, load_digits, split
from jaxdl.data.split import _table
from jaxdl.errors import DtypeError, FormatError


def numbered(labels, classes=None):
    """Each example carries its own number, so that the parts show where it went."""
    labels = np.asarray(labels)
    classes = None if classes is None else tuple(f"class {i}" for i in range(classes))
    return Dataset(np.arange(len(labels), dtype=np.int32)[:, None], labels, classes)


def numbers(part):
    return part.inputs[:, 0].tolist()


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(4, 40), min_size=1, max_size=8),
    weights=st.lists(st.integers(1, 20), min_size=1, max_size=4),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_example_goes_to_one_part_and_classes_keep_their_shares(counts, weights, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    fractions = np.array(weights) / sum(weights)
    parts = split(numbered(labels, len(counts)), fractions.tolist(), seed=seed)
    assert sorted(chain.from_iterable(map(numbers, parts))) == list(range(len(labels)))
    for part, fraction in zip(parts, fractions, strict=True):
        got = np.bincount(part.targets, minlength=len(counts))
        assert got.min() >= 1
        filled = np.maximum(np.array(counts) * fraction, 1)
        assert np.all(np.abs(got - filled) < 1 + len(weights))
        np.testing.assert_array_equal(labels[numbers(part)], part.targets)


def test_parts_and_classes_are_both_within_one_example():
    rng = np.random.Generator(np.random.PCG64(0))
    for _ in range(300):
        counts = rng.integers(60, 200, rng.integers(1, 30))
        shares = rng.dirichlet(np.full(rng.integers(1, 6), 20.0))
        table = _table(counts, shares)
        np.testing.assert_array_equal(table.sum(axis=1), counts)
        assert np.abs(table.sum(axis=0) - counts.sum() * shares).max() < 1
        assert np.abs(table - counts[:, None] * shares).max() <= 1


def test_fractions_are_scaled_to_sum_to_one_exactly():
    parts = split(numbered(np.zeros(3_000_000, np.int32), 1), (0.5000004, 0.5000004))
    assert [len(part) for part in parts] == [1_500_000] * 2


def test_rounding_does_not_add_up_over_the_classes():
    labels = np.repeat(np.arange(100), 3)
    halves = split(numbered(labels, 100), (0.5, 0.5))
    assert [len(half) for half in halves] == [150, 150]
    for half in halves:
        assert set(np.bincount(half.targets).tolist()) <= {1, 2}


@pytest.mark.parametrize(
    ("count", "fractions", "sizes"),
    [
        (100, (0.29, 0.71), [29, 71]),
        (10, (0.7, 0.2, 0.1), [7, 2, 1]),
        (7, (0.5, 0.25, 0.25), [3, 2, 2]),
        (30, (1 / 3, 1 / 3, 1 / 3), [10, 10, 10]),
        (5, (1.0,), [5]),
    ],
)
def test_sizes_by_largest_remainder(count, fractions, sizes):
    assert [len(part) for part in split(numbered(np.zeros(count)), fractions)] == sizes
    assert [len(part) for part in split(numbered([0] * count, 1), fractions)] == sizes


def test_digits():
    digits = load_digits()
    train, test = split(digits, (0.8, 0.2), seed=5)
    assert (len(train), len(test)) == (1438, 359)
    shares = np.bincount(test.targets) / np.bincount(digits.targets)
    np.testing.assert_allclose(shares, 0.2, atol=1 / 174)
    assert (train.classes, train.names) == (digits.classes, digits.names)


def test_the_seed_decides_and_the_split_is_pinned():
    dataset = numbered([0, 1] * 6, 2)
    first, again, other = (split(dataset, (0.5, 0.5), seed=seed) for seed in (7, 7, 8))
    assert list(map(numbers, first)) == list(map(numbers, again))
    assert numbers(first[0]) != numbers(other[0])
    assert numbers(first[0]) != sorted(numbers(first[0]))
    assert numbers(split(numbered(np.zeros(8)), (0.5, 0.5), seed=0)[0]) == PINNED


PINNED = [3, 2, 1, 6]


def test_a_mapping_gives_its_parts_in_order():
    train, valid, test = split(numbered([0, 1] * 10, 2), {"train": 0.6, "valid": 0.3, "test": 0.1})
    assert [len(part) for part in (train, valid, test)] == [12, 6, 2]


def test_regression_unstratified_and_labels_by_position():
    train, test = split(load_diabetes(), (0.75, 0.25), seed=1)
    assert (len(train), len(test)) == (332, 110)
    assert train.classes is None
    rare = numbered([0] * 9 + [1], 2)
    assert sum(map(len, split(rare, (0.5, 0.5), stratify=False))) == 10
    tokens = Dataset(np.ones((4, 3)), np.zeros((4, 3), np.int32), ("a",))
    assert [len(part) for part in split(tokens, (0.5, 0.5))] == [2, 2]


def test_a_class_without_examples_is_no_obstacle():
    assert sum(map(len, split(numbered([0, 2] * 5, 4), (0.5, 0.5)))) == 10


def test_too_few_examples():
    with pytest.raises(FormatError, match=r"class 1 \('class 1'\) has 1 examples.*at least 2"):
        split(numbered([0, 0, 0, 1], 2), (0.5, 0.5))
    with pytest.raises(FormatError, match="the data set has 2 examples"):
        split(numbered([0.0, 1.0]), (0.5, 0.25, 0.25))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"fractions": (0.5, 0.4)}, ValueError, "summing to 0.9"),
        ({"fractions": (0.8, 0.8)}, ValueError, "summing to 1.6"),
        ({"fractions": (1.5, -0.5)}, ValueError, "1.5 for part 0"),
        ({"fractions": {"a": 1.0, "b": 0.0}}, ValueError, "part 'b'"),
        ({"fractions": (0.5, float("nan"))}, ValueError, "nan for part 1"),
        ({"fractions": ()}, ValueError, "sum of 1"),
        ({"seed": -1}, ValueError, "seed"),
        ({"seed": 2**32}, ValueError, r"2\*\*32"),
        ({"seed": 0.5}, DtypeError, "whole number"),
        ({"seed": True}, DtypeError, "whole number"),
    ],
)
def test_bad_arguments(options, error, message):
    with pytest.raises(error, match=message):
        split(numbered([0, 1] * 4, 2), **options)
