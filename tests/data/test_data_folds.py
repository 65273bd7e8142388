"""Folds: every example held out once, classes and sizes equal to within one, as scikit-learn deals them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold, StratifiedKFold

from jaxdl.data import Dataset, folds, load_diabetes, load_iris
from jaxdl.errors import DtypeError, FormatError


def labelled(counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    return Dataset(np.arange(len(labels))[:, None], labels, tuple(f"class {i}" for i in range(len(counts))))


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(5, 30), min_size=1, max_size=6),
    count=st.integers(2, 5),
    seed=st.integers(0, 2**32 - 1),
)
def test_each_example_is_held_out_once_and_classes_are_dealt_equally(counts, count, seed):
    dataset = labelled(counts)
    found = folds(dataset, count, seed=seed)
    held = [valid for _, valid in map(found.indices, range(count))]
    assert sorted(np.concatenate(held).tolist()) == list(range(len(dataset)))
    table = np.array([np.bincount(dataset.targets[valid], minlength=len(counts)) for valid in held])
    assert (np.ptp(table, axis=0) <= 1).all()
    assert np.ptp(table.sum(axis=1)) <= 1
    np.testing.assert_array_equal(found.training + found.validation, 1)
    for fold, (training, valid) in enumerate(found):
        indices = found.indices(fold)
        np.testing.assert_array_equal(np.flatnonzero(found.training[fold]), indices[0])
        np.testing.assert_array_equal(training.inputs[:, 0], indices[0])
        np.testing.assert_array_equal(valid.targets, dataset.targets[indices[1]])


def test_sizes_are_those_of_scikit_learn():
    iris, diabetes = load_iris(), load_diabetes()
    for dataset, theirs in ((iris, StratifiedKFold(7)), (diabetes, KFold(7))):
        ours = sorted(len(valid) for _, valid in folds(dataset, 7))
        assert ours == sorted(len(valid) for _, valid in theirs.split(dataset.inputs, dataset.targets))


def test_the_seed_decides():
    dataset = labelled([10, 10])
    first, again, other = (folds(dataset, 4, seed=seed).numbers for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert first.tolist() == PINNED


PINNED = [0, 0, 1, 3, 1, 1, 2, 3, 0, 2, 0, 2, 1, 3, 2, 3, 2, 0, 1, 3]


def test_leave_one_out_and_without_strata():
    small = labelled([3, 2])
    assert len(folds(small, 5, stratify=False)) == 5
    assert [len(valid) for _, valid in folds(small, 5, stratify=False)] == [1] * 5


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"count": 1}, ValueError, "at least 2"),
        ({"count": 2.0}, DtypeError, "whole number"),
        ({"count": 4}, FormatError, "a class has 3 examples; expected at least 4"),
        ({"count": 9, "stratify": False}, FormatError, "it has 8 examples"),
        ({"seed": -1}, ValueError, "seed"),
        ({"seed": 2**32}, ValueError, r"2\*\*32"),
    ],
)
def test_bad_arguments(options, error, words):
    with pytest.raises(error, match=words):
        folds(labelled([5, 3]), **{"count": 3} | options)


def test_no_such_fold():
    with pytest.raises(IndexError, match=r"a fold in \[0, 2\)"):
        folds(labelled([4]), 2).indices(2)


def test_a_pair_of_arrays_is_named():
    with pytest.raises(DtypeError, match=r"'dataset' is a tuple; expected a Dataset. Fix: data.Dataset\("):
        folds((np.ones((6, 1)), np.zeros(6)), 2)
