"""scikit-learn's data sets, and every optional dependency when it is missing."""

import sys

import numpy as np
import pytest

from jaxdl import data
from jaxdl.data._extras import require
from jaxdl.errors import MissingExtraError

SHAPES = {
    "load_digits": (1797, 64, 10),
    "load_iris": (150, 4, 3),
    "load_wine": (178, 13, 3),
    "load_breast_cancer": (569, 30, 2),
    "load_diabetes": (442, 10, 0),
}


@pytest.mark.parametrize("loader", SHAPES)
def test_shapes_and_dtypes(loader):
    examples, features, classes = SHAPES[loader]
    dataset = getattr(data, loader)()
    assert dataset.inputs.shape == (examples, features)
    assert dataset.inputs.dtype == np.float32
    assert dataset.targets.dtype == (np.int32 if classes else np.float32)
    assert len(dataset.classes or ()) == classes
    assert len(dataset.names) == features
    assert all(type(name) is str for name in (*(dataset.classes or ()), *dataset.names))


def test_values_are_not_scaled():
    digits = data.load_digits()
    assert (digits.inputs.min(), digits.inputs.max()) == (0, 16)
    assert np.bincount(digits.targets).tolist() == [
        178,
        182,
        177,
        183,
        181,
        182,
        181,
        179,
        174,
        180,
    ]
    assert data.load_wine().inputs.max() == 1680
    assert data.load_diabetes(scaled=False).inputs[0, 0] == 59
    sums = (data.load_diabetes().inputs.astype(np.float64) ** 2).sum(axis=0)
    np.testing.assert_allclose(sums, 1, rtol=1e-6)


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingExtraError, match=r"scikit-learn.*pip install -e '\.\[examples\]'"):
        data.load_iris()


def test_without_pillow_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MissingExtraError, match=r"load_folder: needs Pillow"):
        data.load_folder(tmp_path)


def test_an_extra_that_is_there_is_returned():
    assert require("math", "math", "test").pi > 3
