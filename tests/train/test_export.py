"""Exported programs: what `predict` gives, at any number of examples; nothing damaged is run."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from common import X

from jaxdl import net, scaling, train, weights
from jaxdl.errors import DtypeError, FormatError, ShapeError
from jaxdl.models import MLP, MLPConfig
from jaxdl.weights import _format

CONFIG = MLPConfig(sizes=(4, 6, 3), batch_norm=True, dropout="rate")
BYTES = np.clip(64 * X + 128, 0, 255).astype(np.uint8)
ALONE = """
import sys, numpy as np
from jaxdl import train
np.save(sys.argv[3], train.load_exported(sys.argv[1])(np.load(sys.argv[2])))
"""


@pytest.fixture(scope="module")
def fitted() -> train.Fitted:
    """What `fit` gives, without its compilation; statistics that differ from those of the start."""
    mlp = net.functional(lambda rngs: MLP(CONFIG, rngs=rngs))
    params, state = mlp.init(jax.random.key(0))
    state = jax.tree.map(lambda leaf: leaf + 0.5, state)
    return train.Fitted(
        mlp, params, state, None, train.History({}), train.Timing(0, 0, 0), {"rate": jnp.float32(0.1)},
        scaling.z_score(BYTES), ("a", "b", "c"), example=jax.ShapeDtypeStruct((4,), np.uint8),
    )  # fmt: skip


@pytest.fixture(scope="module")
def path(fitted: train.Fitted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "model.jaxdl"
    train.export(fitted, path)
    return path


def test_it_is_what_predict_gives(fitted: train.Fitted, path: Path) -> None:
    loaded = train.load_exported(path)
    for examples in (1, 2, 17):
        np.testing.assert_array_equal(loaded(BYTES[:examples]), fitted.predict(BYTES[:examples]))
    assert (loaded.batch, loaded.classes) == ("symbolic", ("a", "b", "c"))
    assert (loaded.example.shape, loaded.example.dtype) == ((4,), np.uint8)


def test_another_process_without_the_model(fitted: train.Fitted, path: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", BYTES[:5])
    arguments = [path, tmp_path / "x.npy", tmp_path / "y.npy"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", ALONE, *arguments], check=True, env=environment)
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), fitted.predict(BYTES[:5]))


def test_the_weights_are_beside_the_program(fitted: train.Fitted, path: Path) -> None:
    found = weights.load(path)
    jax.tree.map(np.testing.assert_array_equal, found["params"]["layers"]["0"], fitted.params["layers"][0])
    assert set(found) == {"hyper", "params", "program", "scaling", "state"}


def test_a_fixed_number_of_examples_and_other_platforms(fitted: train.Fitted) -> None:
    fixed = train.export(fitted, batch=3, platforms=("cpu", "cuda"))
    np.testing.assert_array_equal(fixed(BYTES[:3]), fitted.predict(BYTES[:3]))
    with pytest.raises(ShapeError, match=r"of shape \(2, 4\); expected \(3, 4\)"):
        fixed(BYTES[:2])
    assert fixed.program.platforms == ("cpu", "cuda")


@pytest.mark.parametrize(
    ("inputs", "error", "words"),
    [
        (BYTES[:, :3], ShapeError, r"of shape \(70, 3\); expected \(examples, 4\)"),
        (BYTES[:0], ShapeError, r"of shape \(0, 4\)"),
        (BYTES[0], ShapeError, r"of shape \(4,\)"),
        (X, DtypeError, "of dtype float32; expected uint8"),
        (X * np.nan, FormatError, "finite"),
    ],
)
def test_calls_are_checked(path: Path, inputs: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        train.load_exported(path)(inputs)


def test_damage_is_named(path: Path, tmp_path: Path) -> None:
    content, damaged = path.read_bytes(), tmp_path / "damaged"
    rng = np.random.default_rng(0)
    for trial in range(200):
        body = bytearray(content)
        if trial % 2:
            body[rng.integers(len(body))] ^= 1 << rng.integers(8)
        damaged.write_bytes(body if trial % 2 else body[: rng.integers(len(body))])
        with pytest.raises(FormatError):
            train.load_exported(damaged)
    weights.save(damaged, {"program": np.zeros(9, np.uint8)})
    with pytest.raises(FormatError, match="is no exported program"):
        train.load_exported(damaged)
    header, _, arrays = _format.read(path, what="")
    damaged.write_bytes(_format.encode(header, {**arrays, "program": np.zeros(99, np.uint8)})[0])
    with pytest.raises(FormatError, match="cannot read it"):
        train.load_exported(damaged)


def test_the_digest_that_export_returns_is_asked_for(fitted: train.Fitted, tmp_path: Path) -> None:
    kept = train.export(fitted, tmp_path / "model")
    assert train.load_exported(tmp_path / "model", digest=kept.digest).digest == kept.digest
    assert train.export(fitted).digest is None
    with pytest.raises(FormatError, match=f"load_exported: .*SHA-256 {kept.digest}; expected {'0' * 64}"):
        train.load_exported(tmp_path / "model", digest="0" * 64)
    for digest in ("0" * 63, "g" * 64, f"{kept.digest}\n"):
        with pytest.raises(ValueError, match="expected 64 hexadecimal digits"):
            train.load_exported(tmp_path / "model", digest=digest)


def test_files_of_the_other_kind_are_named(fitted: train.Fitted, path: Path, tmp_path: Path) -> None:
    model = train.save(tmp_path / "model", fitted)
    with pytest.raises(FormatError, match=r"load_exported: .*a model file.*Fix: train.load\(path\)"):
        train.load_exported(model)
    with pytest.raises(FormatError, match=r"load: .*a program.*Fix: train.load_exported\(path\)"):
        train.load(path)


def linear(apply: Any) -> train.Loaded:
    """Return a model of one layer that `apply` computes."""
    own = net.from_pair(lambda key: {"w": jnp.ones((4, 3))}, apply)
    return train.Loaded(own, {"w": np.ones((4, 3), np.float32)}, {}, None, None, None)


@pytest.mark.parametrize(
    ("given", "taken"),
    [("float64", "float32"), ("float16", "float32"), ("int64", "int32"), ("bool", "uint8")],
)
def test_dtypes_are_those_of_a_call(given: str, taken: str) -> None:
    inputs = np.ones((2, 4), given)
    with jax.enable_x64(True):
        exported = train.export(linear(lambda params, x: x @ params["w"]), inputs=inputs)
        assert exported.example.dtype == taken
        np.testing.assert_array_equal(exported(inputs), np.full((2, 3), 4))


def test_a_dtype_that_no_call_has_is_refused() -> None:
    with pytest.raises(DtypeError, match="of dtype bfloat16; expected uint8, int32 or float32"):
        train.export(
            linear(lambda params, x: x @ params["w"]), inputs=jax.ShapeDtypeStruct((1, 4), "bfloat16")
        )


def printing(params: Any, x: Any) -> Any:
    jax.debug.print("{}", x.sum())
    return x @ params["w"]


def calling(params: Any, x: Any) -> Any:
    return jax.pure_callback(lambda a: a, jax.ShapeDtypeStruct(x.shape, x.dtype), x) @ params["w"]


@pytest.mark.parametrize("apply", [printing, calling])
def test_a_network_that_calls_python(apply: Any) -> None:
    for batch in ("symbolic", 2):
        with pytest.raises(ValueError, match="expected one that does not call Python"):
            train.export(linear(apply), inputs=X, batch=batch)


def test_it_shows_itself_in_a_line(path: Path) -> None:
    assert repr(train.load_exported(path)) == "Exported(uint8 (examples, 4); cpu; 312 bytes of arrays)"


def test_a_network_that_counts_its_examples() -> None:
    def apply(params: Any, x: Any) -> Any:
        return x @ params["w"] if x.shape[0] > 4 else 2 * x @ params["w"]

    bare = linear(apply)
    with pytest.raises(ValueError, match=r"'batch' is 'symbolic'.*decides by the number of examples"):
        train.export(bare, inputs=X)
    np.testing.assert_array_equal(train.export(bare, inputs=X, batch=2)(X[:2]), bare.predict(X[:2]))


def test_refuses(fitted: train.Fitted, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"what train.fit or train.load returned"):
        train.export(fitted.params)
    with pytest.raises(ValueError, match="'batch' is 0"):
        train.export(fitted, batch=0)
    with pytest.raises(DtypeError, match="'batch' is 'any'"):
        train.export(fitted, batch="any")
    model = train.load(train.save(tmp_path / "m.safetensors", fitted))
    with pytest.raises(ValueError, match=r"inputs=jax.ShapeDtypeStruct"):
        train.export(model)
    with pytest.raises(ValueError, match="nonsense"):
        train.export(fitted, platforms=("nonsense",))
    with pytest.raises(DtypeError, match=r"'platforms' is 'cpu'; .*Fix: platforms=\('cpu',\)"):
        train.export(fitted, platforms="cpu")
