"""The points of a sweep, and the members they make with seeds."""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl.errors import DtypeError, ShapeError
from jaxdl.train import Table, points
from jaxdl.train.sweeps.members import check_names, members

CURVES = ["loss", "accuracy"]
KEY = jax.random.key(0)


def test_grid_takes_every_combination_and_zip_takes_them_in_step() -> None:
    made = points.grid(rate=[1, 2], l2=np.array([0.0, 0.5, 1.0]), depth=np.array([3]), b=7)
    assert made["rate"].tolist() == [1, 1, 1, 2, 2, 2]
    assert made["l2"].tolist() == [0, 0.5, 1] * 2
    assert {name: str(value.dtype) for name, value in made.items()} == {
        "rate": "float32", "l2": "float32", "depth": "int32", "b": "float32",
    }  # fmt: skip
    assert made.count == 6
    both = points.zip(rate=[0.1, 0.2], l2=[1, 2])
    assert (both["rate"].tolist(), both["l2"].tolist()) == ([np.float32(0.1), np.float32(0.2)], [1, 2])


def test_points_multiply_and_add() -> None:
    a, b = points.zip(x=[1, 2], y=[3, 4]), points.grid(z=[5, 6, 7])
    assert {name: value.tolist() for name, value in (a * b).items()} == {
        "x": [1, 1, 1, 2, 2, 2], "y": [3, 3, 3, 4, 4, 4], "z": [5, 6, 7] * 2,
    }  # fmt: skip
    assert (b + points.grid(z=9))["z"].tolist() == [5, 6, 7, 9]


def test_random_is_uniform_on_its_scale_and_each_name_is_drawn_by_itself() -> None:
    drawn = points.random(KEY, 4000, rate=points.log(1e-4, 1.0), l2=points.linear(-1.0, 3.0))
    quarters = np.histogram(np.log10(drawn["rate"]), bins=[-4, -3, -2, -1, 0])[0]
    # 1000 +- 27 expected in each; 6 standard deviations.
    assert np.abs(quarters - 1000).max() < 165
    assert np.abs(np.histogram(drawn["l2"], bins=[-1, 0, 1, 2, 3])[0] - 1000).max() < 165
    alone = points.random(KEY, 4000, rate=points.log(1e-4, 1.0))
    np.testing.assert_array_equal(alone["rate"], drawn["rate"])
    assert abs(np.corrcoef(np.log(drawn["rate"]), drawn["l2"])[0, 1]) < 0.1


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: points.grid(rate=[]), ShapeError, r"'rate' is of shape \(0,\)"),
        (lambda: points.grid(rate=[[1, 2]]), ShapeError, "at least one"),
        (lambda: points.grid(rate=[0.1, np.nan]), ValueError, "nan at index 1; expected finite"),
        (lambda: points.grid(rate=[1e39]), ValueError, "finite in float32"),
        (lambda: points.grid(rate=np.array([2**31])), ValueError, "finite in int32"),
        (lambda: points.grid(rate=["a"]), DtypeError, "real numbers"),
        (lambda: points.grid(rate=[True]), DtypeError, "of dtype bool"),
        (lambda: points.zip(a=[1, 2], b=[1]), ShapeError, "'a': 2, 'b': 1"),
        (lambda: Table({"a": [1, 2]}), DtypeError, "a list; expected a NumPy array"),  # type: ignore[dict-item]
        (lambda: Table({"a": np.array([None])}), DtypeError, "of dtype object"),
        (lambda: Table({"a": np.arange(2), "b": np.arange(3)}), ShapeError, r"'b': \(3,\)"),
        (lambda: Table({"a": np.ones((2, 2))}), ShapeError, r"\(rows,\)"),
        (lambda: Table({"a": np.ones(2)}).sorted("a", last=np.ones(3, bool)), ShapeError, "one bool a row"),
        (lambda: points.log(0.0, 1.0), ValueError, r"expected \(0, inf\)"),
        (lambda: points.log(-1.0, 1.0), ValueError, r"expected \(0, inf\)"),
        (lambda: points.log(1.0, 1.0), ValueError, "above low"),
        (lambda: points.linear(2.0, 1.0), ValueError, "above low"),
        (lambda: points.linear(0.0, np.inf), ValueError, "'high' is inf"),
        (lambda: points.random(KEY, 3), ValueError, "'ranges' is empty"),
        (lambda: points.random(KEY, 0, rate=points.log(1e-3, 1.0)), ValueError, "at least 1"),
        (lambda: points.random(KEY, 3, rate=(1e-3, 1.0)), DtypeError, "rate=points.log"),
        (lambda: points.random(0, 3, rate=points.log(1e-3, 1.0)), DtypeError, r"jax.random.key\(seed\)"),  # type: ignore[arg-type]
        (lambda: points.grid(a=1) * points.grid(a=2), ValueError, r"join values of one name with \+"),
        (lambda: points.grid(a=1) + points.grid(b=2), ValueError, r"over \['b'\]"),
        (lambda: points.grid(a=1) * {"b": 1}, DtypeError, "expected Points"),
        (lambda: members(0.1, 0), DtypeError, "points, or a dict"),  # type: ignore[arg-type]
        (lambda: members({"a": [1, 2], "b": [1, 2, 3]}, 0), ShapeError, "'a': 2, 'b': 3"),
        (lambda: members({"seed": [1, 2]}, 0), ValueError, "a column of that name"),
        *(
            (lambda name=name: members({name: 1}, 0), ValueError, "'hyper'")
            for name in ("members", "diverged")
        ),
        *(
            (lambda name=name: check_names([name], CURVES, []), ValueError, f"with the name '{name}'")
            for name in ("accuracy", "min_loss", "max_accuracy", "std_loss", "std_accuracy")
        ),
        (lambda: check_names([], [*CURVES, "min_loss"], ["min_loss"]), ValueError, "'metrics' is with"),
        (lambda: check_names([], [*CURVES, "epochs"], []), ValueError, "'record' is with the name 'epochs'"),
        (lambda: members({"a": None}, 0), DtypeError, "real numbers"),
        (lambda: members({}, []), ValueError, "different whole numbers"),
        (lambda: members({}, [1, 1]), ValueError, "different whole numbers"),
        (lambda: members({}, 2**32), ValueError, r"2\^32"),
        (lambda: members({}, -1), ValueError, "at least 0"),
        (lambda: members({}, 0.5), DtypeError, "seeds=range"),  # type: ignore[arg-type]
        (lambda: members({}, np.array(0.5)), DtypeError, "a whole number"),
        (lambda: members({}, jnp.ones(2)), DtypeError, "seeds=range"),
        (lambda: members({}, [0.5]), DtypeError, "a whole number"),  # type: ignore[list-item]
    ],
)
def test_bad_values_are_refused_by_name(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()


def test_every_point_meets_every_seed() -> None:
    found = members({"rate": [0.1, 0.2], "l2": 3}, range(5, 8))
    assert found.hyper["rate"].tolist() == [np.float32(0.1)] * 3 + [np.float32(0.2)] * 3
    assert (found.hyper["l2"].tolist(), found.seeds.tolist()) == ([3.0] * 6, [5, 6, 7] * 2)
    assert (found.points.tolist(), found.words(4)) == ([0, 0, 0, 1, 1, 1], "rate=0.2, l2=3, seed=6")
    assert len(members(None, 2**32 - 1)) == 1
    for seeds in (5, np.uint32(5), np.array(5), np.array([5]), jnp.int32(5), jnp.arange(5, 6)):
        assert members(None, seeds).seeds.tolist() == [5]


def test_table_sorts_nan_last_and_writes_what_it_holds(tmp_path: Path) -> None:
    table = Table({"name": np.array(["b", "a", "c"]), "x": np.array([0.1, np.nan, -1], np.float32)})
    assert table.sorted("x").columns["name"].tolist() == ["c", "b", "a"]
    assert table.sorted("x", mode="max").columns["name"].tolist() == ["b", "c", "a"]
    assert table.sorted("name", mode="max").columns["name"].tolist() == ["c", "b", "a"]
    assert table.to_csv(tmp_path / "t.csv") == "name,x\nb,0.1\na,nan\nc,-1.0\n"
    assert json.loads(table.to_json(tmp_path / "t.json"))[:2] == [
        {"name": "b", "x": 0.1},
        {"name": "a", "x": None},
    ]
    assert (tmp_path / "t.csv").read_text() == table.to_csv()
    assert (tmp_path / "t.json").read_text() == table.to_json()
    assert len(table.head(2)) == 2
    assert str(Table({"x": np.arange(25)})).splitlines()[-1] == "... and 5 more"
    with pytest.raises(ValueError, match=r"'y'; expected one of \['name', 'x'\]"):
        table.sorted("y")
    with pytest.raises(ValueError, match="'min', 'max'"):
        table.sorted("x", mode="up")
