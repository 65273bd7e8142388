"""The store of checkpoints: layout, what is kept, what is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checkpoints import RECORD, same, step_folder, tree

from jaxdl.errors import CheckpointWarning, DtypeError, FormatError, LockError, ShapeError
from jaxdl.train.checkpoint import Checkpoint, Store, files, manifest


def test_a_step_comes_back_bit_by_bit(folder: Path) -> None:
    with Store(folder) as store:
        saved = store.restore(tree(0))
        shapes = jax.eval_shape(lambda: {k: v for k, v in tree(0).items() if k != "state"})
        abstract = store.restore(shapes | {"state": tree(0)["state"]}, step=1)
        assert store.steps() == [1, 2]
    assert saved is not None
    assert abstract is not None
    assert (saved.step, saved.record, saved.score) == (2, RECORD | {"epoch": 2}, None)
    assert same(saved.tree, tree(2))
    assert same(abstract.tree, tree(1))
    assert abstract.record["epoch"] == 1


def test_the_layout_is_a_manifest_with_the_digest_of_every_file(folder: Path) -> None:
    step = step_folder(folder, 2)
    assert sorted(path.name for path in step.iterdir()) == ["MANIFEST", "arrays"]
    body = manifest.read(step)
    listed = {path.relative_to(step).as_posix(): files.digest(path) for path in files.listed(step / "arrays")}
    assert {name: (entry["sha256"], entry["size"]) for name, entry in body["files"].items()} == listed
    assert {"float32", "bfloat16", "int32", "uint32", "bool", "float64"} == body["buffers"].keys()
    assert {path.name for path in folder.iterdir()} == {step.name, "step_00000001", "lock.000001"}


def test_a_committed_array_comes_back_committed_where_it_was(tmp_path: Path) -> None:
    device = jax.devices()[0]
    held = {"a": jax.device_put(jnp.ones(2), device), "b": jnp.ones(2), "key": jax.random.key(0)}
    with Store(tmp_path) as store:
        store.save(0, held, {})
        saved = store.restore(held)
    assert saved is not None
    assert [saved.tree[name].committed for name in ("a", "b")] == [True, False]


def test_an_empty_folder_has_nothing_to_restore(tmp_path: Path) -> None:
    with Store(tmp_path / "a" / "b") as store:
        assert store.restore(tree(0)) is None
        assert store.best is None
        with pytest.raises(KeyError, match="no step 7"):
            store.restore(tree(0), step=7)
    assert Store(tmp_path / "nowhere", writable=False).steps() == []


def test_the_newest_and_the_best_are_kept(tmp_path: Path, small_arrays: None) -> None:
    scores = {1: 0.5, 2: 0.9, 3: float("nan"), 4: 0.9, 5: 0.1, 6: None, 7: 0.2}
    with Store(tmp_path, keep=2, mode="max") as store:
        for step, score in scores.items():
            store.save(step, {"w": np.ones(1)}, {}, score=score)
        assert (store.steps(), store.best) == ([2, 6, 7], 2)
    with Store(tmp_path, keep=1, mode="min") as store:
        store.save(8, {"w": np.ones(1)}, {}, score=3.0)
        assert (store.steps(), store.best) == ([7, 8], 7)
    with Store(tmp_path, keep=None) as store:
        store.save(9, {"w": np.ones(1)}, {})
        assert store.steps() == [7, 8, 9]


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ({"w": jnp.array([1.0, jnp.nan])}, ValueError, "'w' with NaN"),
        ({"w": jnp.array([1.0, -jnp.inf], jnp.bfloat16)}, ValueError, "'w' with infinity"),
        ({"w": jnp.array([complex(0, float("inf"))])}, ValueError, "'w' with infinity"),
        ({"w": 3}, DtypeError, "a int"),
        ({"w": jnp.zeros(0)}, ValueError, "without a number"),
    ],
)
def test_what_is_not_finite_is_refused(folder: Path, bad: Any, error: type, message: str) -> None:
    with Store(folder) as store:
        with pytest.raises(error, match=message):
            store.save(3, bad, {})
        assert store.steps() == [1, 2]


def test_nan_and_infinity_are_kept_where_they_belong(tmp_path: Path) -> None:
    odd = {"history": jnp.array([jnp.nan, jnp.inf]), "best": jnp.array(jnp.inf)}
    with Store(tmp_path) as store:
        store.save(1, odd, {}, nan=("history",), infinite=("best",))
        saved = store.restore(odd)
    assert saved is not None
    assert same(saved.tree, odd)


def test_a_saved_step_and_a_bad_record_are_refused(folder: Path) -> None:
    with Store(folder) as store:
        with pytest.raises(ValueError, match="2, which is saved"):
            store.save(2, tree(2), RECORD)
        with pytest.raises(ValueError, match="record"):
            store.save(3, tree(3), {"loss": float("nan")})
        with pytest.raises(ValueError, match="at least 0"):
            store.save(-1, tree(3), {})
    with pytest.raises(LockError, match="is not held"):
        store.save(3, tree(3), RECORD)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda like: like | {"epoch": jnp.zeros((), jnp.float32)}, DtypeError, "'epoch'"),
        (lambda like: like | {"empty": jnp.zeros((1, 2))}, ShapeError, r"'empty'.*\(0, 2\)"),
        (lambda like: like | {"new": jnp.zeros(1)}, ShapeError, "with 'new'"),
        (lambda like: {"epoch": like["epoch"]}, ShapeError, "without 'empty'"),
        (lambda like: like | {"key": jax.random.key(0, impl="rbg")}, DtypeError, "'key'"),
    ],
)
def test_another_tree_is_refused_by_name(
    made: Path, change: Callable[[Any], Any], error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        Store(made, writable=False).restore(change(tree(0)))


def test_the_record_may_say_what_the_tree_is(made: Path) -> None:
    saved = Store(made, writable=False).restore(lambda record: tree(record["epoch"]))
    assert saved is not None
    assert saved.step == 2


def raise_version(step: Path) -> None:
    _, _, text = (step / "MANIFEST").read_bytes().partition(b"\n")
    (step / "MANIFEST").write_bytes(b" ".join([*manifest._words(manifest.VERSION + 1, text), b"\n"]) + text)


def test_a_newer_version_is_said_and_no_older_step_taken(folder: Path) -> None:
    raise_version(step_folder(folder, 2))
    with Store(folder) as store, pytest.raises(FormatError, match="is of version 2; this jaxdl reads 1"):
        store.restore(tree(0))
    assert Store(folder, writable=False).steps() == [1, 2]


def test_all_damaged_names_each(folder: Path) -> None:
    (step_folder(folder, 1) / "MANIFEST").unlink()
    data = max(files.listed(step_folder(folder, 2) / "arrays"), key=lambda path: path.stat().st_size)
    data.write_bytes(data.read_bytes()[:-1])
    with Store(folder) as store, pytest.raises(FormatError) as caught:
        store.restore(tree(0))
    assert "step 1: MANIFEST cannot be read" in str(caught.value)
    assert f"step 2: {data.relative_to(step_folder(folder, 2)).as_posix()} has" in str(caught.value)


def test_a_damaged_step_is_written_anew_and_the_last_good_one_outlives_it(folder: Path) -> None:
    shutil.copytree(step_folder(folder, 2), step_folder(folder, 3))
    for step in (2, 3):
        (step_folder(folder, step) / "MANIFEST").write_bytes(b"")
    with Store(folder, keep=1) as store:
        with pytest.warns(CheckpointWarning) as caught:
            saved = store.restore(tree(0))
        assert [str(warning.message).split(" in ")[0] for warning in caught] == [
            "checkpoint: step 3",
            "checkpoint: step 2",
        ]
        assert saved is not None
        assert saved.step == 1
        store.save(2, tree(2), RECORD)
        assert store.steps() == [2, 3]
        store.save(3, tree(3), RECORD)
        assert store.steps() == [3]
    found = Store(folder, writable=False).restore(tree(0))
    assert found is not None
    assert same(found.tree, tree(3))


def test_what_a_dead_process_left_is_removed(folder: Path) -> None:
    (folder / ".tmp-dead" / "arrays").mkdir(parents=True)
    (folder / ".tmp-dead" / "arrays" / "half").write_bytes(b"x")
    with Store(folder) as store:
        assert store.steps() == [1, 2]
        assert not (folder / ".tmp-dead").exists()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"every": 0}, ValueError, "every"),
        ({"every": 1.5}, DtypeError, "every"),
        ({"seconds": -1}, ValueError, "seconds"),
        ({"keep": 0}, ValueError, "keep"),
        ({"mode": "least"}, ValueError, "mode"),
        ({"best": 3}, DtypeError, "best"),
        ({"folder": 3}, DtypeError, "folder"),
    ],
)
def test_a_policy_out_of_range_is_refused(options: dict[str, Any], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        Checkpoint(**({"folder": "run"} | options))


def test_the_default_policy_saves_once_a_second() -> None:
    assert (Checkpoint("run").every, Checkpoint("run").seconds) == (None, 1.0)
    assert (Checkpoint("run", every=2).every, Checkpoint("run", every=2).seconds) == (2, None)


def test_the_body_is_plain_json(made: Path) -> None:
    text = (step_folder(made, 1) / "MANIFEST").read_bytes().partition(b"\n")[2]
    assert json.loads(text)["record"] == RECORD | {"epoch": 1}
