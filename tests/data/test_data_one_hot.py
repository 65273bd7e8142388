"""Categories as columns of 0 and 1."""

from typing import Any

import numpy as np
import pytest
from sklearn.preprocessing import OneHotEncoder

from jaxdl.data import one_hot
from jaxdl.errors import DtypeError, FormatError, ShapeError


def test_equals_sklearn() -> None:
    rng = np.random.default_rng(0)
    table = {name: rng.choice(list("abcd"), 30).tolist() for name in ("first", "second")}
    rows = np.array(list(table.values())).T
    encoder = OneHotEncoder(sparse_output=False).fit(rows)
    inputs, names = one_hot(table)
    np.testing.assert_array_equal(inputs, encoder.transform(rows))
    assert names == tuple(
        f"{column}={value}" for column, values in zip(table, encoder.categories_) for value in values
    )
    assert inputs.dtype == np.float32


def test_categories_fix_the_columns_of_test_data() -> None:
    known = {"ear": ("pointy", "floppy", "oval")}
    inputs, names = one_hot({"age": np.array([3, 4]), "ear": ["oval", "oval"]}, categories=known)
    assert names == ("age", "ear=pointy", "ear=floppy", "ear=oval")
    np.testing.assert_array_equal(inputs, [[3, 0, 0, 1], [4, 0, 0, 1]])


@pytest.mark.parametrize(
    ("columns", "categories", "error", "words"),
    [
        ({}, None, ShapeError, "at least one column"),
        ({"a": [1, 2], "b": [1]}, None, ShapeError, "columns of one length"),
        ({"a": []}, None, ShapeError, "at least 1"),
        ({"a": [[1, 2]]}, None, ShapeError, r"of shape \(1, 2\)"),
        ({"a": ["x", None]}, None, DtypeError, "not of strings throughout"),
        ({"a": [1.0, np.nan]}, None, FormatError, "nan at row 1"),
        ({"a": ["x"]}, {"b": ["x"]}, ShapeError, r"for \['b'\]"),
        ({"a": ["z"]}, {"a": ["x", "y"]}, FormatError, "'z' at row 0"),
        ({"a": ["x"]}, {"a": ["x", "x"]}, FormatError, "named twice"),
        ({"a": [1, 2]}, {"a": ["x", "y"]}, DtypeError, "numbers or strings"),
    ],
)
def test_bad_columns_are_named(columns: Any, categories: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        one_hot(columns, categories=categories)
    assert "Fix: " in str(caught.value)
