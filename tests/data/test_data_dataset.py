"""`Dataset`: what it takes, what it refuses, and that nobody can change it afterwards."""

import numpy as np
import pytest

from jaxdl.data import Dataset, check_finite, check_labels
from jaxdl.errors import DtypeError, FormatError, ShapeError

X = np.arange(8.0).reshape(4, 2)
Y = np.array([0, 1, 2, 0])
ABC = ("a", "b", "c")
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.uint8, np.uint8), (bool, np.uint8), (np.int64, np.int32), (np.uint16, np.int32),
        (np.int8, np.int32), (np.float64, np.float32), (np.float16, np.float32),
        (np.float32, np.float32), (np.dtype(">f8"), np.float32), (np.dtype(">i4"), np.int32),
    ],
)  # fmt: skip
def test_dtypes_of_inputs(given, kept):
    inputs = (X % 2).astype(given)
    dataset = Dataset(inputs, X[:, 0])
    assert dataset.inputs.dtype == kept
    assert dataset.inputs.dtype.isnative
    np.testing.assert_array_equal(dataset.inputs, X % 2)


def test_classification_and_regression():
    classification = Dataset(X.tolist(), Y.tolist(), classes=list(ABC), names=["p", "q"])
    assert classification.targets.dtype == np.int32
    assert classification.classes == ABC
    assert classification.names == ("p", "q")
    assert classification.features == (2,)
    assert len(classification) == 4
    counts = Dataset(X, Y)
    assert counts.targets.dtype == np.float32
    assert counts.classes is None
    assert Dataset(X, X).targets.shape == (4, 2)
    assert Dataset(X.reshape(4, 1, 2, 1), Y).features == (1, 2, 1)


def test_repr_is_short():
    assert repr(Dataset(X, Y, ABC)) == "Dataset(4 examples, inputs float32 (2,), 3 classes)"
    assert repr(Dataset(X, X)) == "Dataset(4 examples, inputs float32 (2,), targets float32 (2,))"
    assert repr(Dataset(X, Y * 0, ("a",))).endswith("1 class)")


def replaced(row, column, value):
    out = X.copy()
    out[row, column] = value
    return out


BAD = {
    "no features": (X[:, 0], Y, {}, ShapeError, r"inputs\[:, None\]"),
    "scalar": (3.0, Y, {}, ShapeError, "two axes"),
    "no examples": (X[:0], Y[:0], {}, ShapeError, r"\(0, 2\)"),
    "empty features": (np.ones((4, 0)), Y, {}, ShapeError, r"\(4, 0\)"),
    "ragged": ([[1.0, 2.0], [3.0]], Y[:2], {}, ShapeError, "ragged"),
    "lengths": (X, Y[:3], {}, ShapeError, "length 3.*4 examples"),
    "empty targets": (X, [], {}, ShapeError, r"\(0,\)"),
    "scalar target": (X, 1.0, {}, ShapeError, "one target for each"),
    "column of labels": (X, Y[:, None], {"classes": ABC}, ShapeError, r"targets\[:, 0\]"),
    "too few names": (X, Y, {"names": ("p",)}, ShapeError, "1 names.*one for each feature"),
    "names of images": (X[..., None], Y, {"names": ("p", "q")}, ShapeError, "names"),
    "objects": (np.array([[None, 1]] * 4), Y, {}, DtypeError, "object"),
    "strings": ([["1", "2"]] * 4, Y, {}, DtypeError, "<U1"),
    "complex": (X * 1j, Y, {}, DtypeError, "complex128"),
    "dates": (X.astype("datetime64[s]"), Y, {}, DtypeError, "datetime64"),
    "string targets": (X, list("abca"), {}, DtypeError, "targets.*<U1"),
    "float labels": (X, Y * 1.0, {"classes": ABC}, DtypeError, "float64.*astype"),
    "bool labels": (X, Y > 0, {"classes": ABC}, DtypeError, "bool"),
    "one string of classes": (X, Y, {"classes": "abc"}, DtypeError, "tuple of strings"),
    "number of classes": (X, Y, {"classes": 3}, DtypeError, "tuple of strings"),
    "numbers as classes": (X, Y, {"classes": (1, 2, 3)}, DtypeError, r"map\(str"),
    "same class twice": (X, Y, {"classes": ("a", "b", "a")}, FormatError, "'a' twice"),
    "nameless class": (X, Y, {"classes": ("a", "b", "")}, FormatError, "empty"),
    "no classes": (X, Y, {"classes": ()}, FormatError, "empty"),
    "same name twice": (X, Y, {"names": ("p", "p")}, FormatError, "'p' twice"),
    "nan": (replaced(2, 1, NAN), Y, {}, FormatError, r"nan at row 2, column 1; .*1 of 8"),
    "named nan": (replaced(2, 1, NAN), Y, {"names": ("p", "q")}, FormatError, r"column 1 \('q'\)"),
    "infinite": (replaced(3, 0, -INF), Y, {}, FormatError, "-inf at row 3, column 0"),
    "nan in image": (
        replaced(1, 1, NAN).reshape(4, 1, 2), Y, {}, FormatError, r"row 1, position \(0, 1\)",
    ),
    "nan target": (X, [0.0, NAN, 1.0, 2.0], {}, FormatError, "'targets' is nan at row 1"),
    "beyond float32": (replaced(0, 1, 1e300), Y, {}, FormatError, r"1e\+300 at row 0.*float32"),
    "beyond int32": (
        np.full((4, 2), 2**40), Y, {}, FormatError, r"1099511627776 at row 0.*int32",
    ),
    "label too large": (X, [0, 1, 3, 0], {"classes": ABC}, FormatError, r"3 at row 2.*\[0, 3\)"),
    "negative label": (X, [0, -1, 2, 0], {"classes": ABC}, FormatError, "-1 at row 1"),
    "labels from one": (X, [1, 2, 3, 1], {"classes": ABC}, FormatError, "targets - 1"),
    "masked": (np.ma.masked_equal(X, 3.0), Y, {}, FormatError, "masked in 1 places"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_data_is_refused_by_name(case):
    inputs, targets, options, error, message = BAD[case]
    with pytest.raises(error, match=message):
        Dataset(inputs, targets, **options)


def test_what_was_checked_cannot_be_changed():
    inputs, targets = X.astype(np.float32), Y.astype(np.int32)
    dataset = Dataset(inputs, targets, ABC)
    inputs[0, 0], targets[0] = np.nan, 9
    assert dataset.inputs[0, 0] == 0
    assert dataset.targets[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        dataset.inputs[0, 0] = 1
    with pytest.raises(AttributeError):
        dataset.inputs = inputs


def test_a_read_only_view_of_writable_memory_is_copied_and_frozen_memory_is_not():
    owner = X.astype(np.float32)
    view = owner[:]
    view.flags.writeable = False
    assert not np.shares_memory(Dataset(view, Y).inputs, owner)
    owner.flags.writeable = False
    assert np.shares_memory(Dataset(owner, Y).inputs, owner)
    frozen = np.frombuffer(bytes(8), np.uint8).reshape(4, 2)
    assert np.shares_memory(Dataset(frozen, Y).inputs, frozen)
    buffer = bytearray(8)
    open_view = np.frombuffer(buffer, np.uint8).reshape(4, 2)
    open_view.flags.writeable = False
    assert not np.shares_memory(Dataset(open_view, Y).inputs, open_view)


def test_take():
    dataset = Dataset(X, Y, ABC, ("p", "q"))
    part = dataset.take([3, -4, 3])
    np.testing.assert_array_equal(part.inputs, X[[3, 0, 3]])
    assert part.targets.tolist() == [0, 0, 0]
    assert (part.classes, part.names) == (ABC, ("p", "q"))
    assert len(dataset.take(range(2))) == 2


@pytest.mark.parametrize(
    ("indices", "error", "message"),
    [
        (np.array([True, False, True, True]), DtypeError, "flatnonzero"),
        ([0.0, 1.0], DtypeError, "whole numbers"),
        ([[0], [1]], DtypeError, r"\(2, 1\)"),
        ([0, 4], IndexError, "4 at row 1.*4 examples"),
        ([-5], IndexError, "-5 at row 0"),
        (np.array([], np.int64), ShapeError, r"\(0, 2\)"),
    ],
)
def test_take_refuses(indices, error, message):
    with pytest.raises(error, match=message):
        Dataset(X, Y, ABC).take(indices)


def test_the_checks_stand_alone():
    check_finite(np.array([1, 2]))
    check_finite(np.array([1.0, 2.0]))
    check_labels(np.array([[0, 1], [2, 2]]), 3)
    with pytest.raises(FormatError, match="fit: argument 'x' is nan at row 0;"):
        check_finite(np.array([np.nan]), op="fit", argument="x")
    with pytest.raises(FormatError, match=r"255 at row 0, column 1"):
        check_labels(np.array([[0, 255]], np.uint8), 10)
