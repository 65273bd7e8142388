"""Model files: everything comes back; nothing damaged is loaded in silence."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from common import HYPER, LOSS, NET, X, Y, sgd

from jaxdl import net, scaling, train
from jaxdl.data import Dataset
from jaxdl.errors import FormatError
from jaxdl.models import MLP, MLPConfig
from jaxdl.weights import _format

CONFIG = MLPConfig(sizes=(4, 6, 3), batch_norm=True)
GOLDEN = Path(__file__).parents[1] / "golden"
# By the jaxdl that wrote the file: tests/golden/model_version_1.safetensors cannot be made anew.
PREDICTED_BY_VERSION_1 = [
    [0.0619053543, 0.1757248044, -0.0094081312],
    [-0.2347472161, 0.7089638710, 0.2007402182],
]


@pytest.fixture(scope="module")
def fitted() -> train.Fitted:
    return train.fit(
        net.functional(lambda rngs: MLP(CONFIG, rngs=rngs)),
        Dataset(X, Y, classes=("a", "b", "c")),
        loss=LOSS,
        optimizer=sgd,
        hyper=HYPER,
        epochs=2,
        batch_size=10,
        scaling=scaling.z_score(X),
        progress="off",
    )


def test_everything_comes_back(fitted: train.Fitted, tmp_path: Path) -> None:
    model = train.load(train.save(tmp_path / "m.safetensors", fitted))
    assert model.config == CONFIG
    assert model.classes == ("a", "b", "c")
    for name in ("params", "state", "scaling"):
        jax.tree.map(np.testing.assert_array_equal, getattr(model, name), getattr(fitted, name))
    np.testing.assert_array_equal(model.predict(X), fitted.predict(X))
    again = train.load(train.save(tmp_path / "again.safetensors", model))
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.safetensors", "m.safetensors"]


def test_network_of_the_callers_own(tmp_path: Path) -> None:
    params = {"a/b": np.ones((4, 3), np.float32), "a": {"b": np.zeros((4, 3), np.float32)}}
    own = net.from_pair(lambda key: params, lambda p, x: x @ p["a/b"] + x @ p["a"]["b"])
    fitted = train.fit(
        own, (X, Y), loss=LOSS, optimizer=sgd, hyper=HYPER, epochs=1, batch_size=10, progress="off"
    )
    path = train.save(tmp_path / "m.safetensors", fitted)
    np.testing.assert_array_equal(train.load(path, net=own).predict(X), fitted.predict(X))
    with pytest.raises(ValueError, match=r"load\(path, net=net\)"):
        train.load(path)
    with pytest.raises(FormatError, match=r"'params/layers/0/bias' is missing"):
        train.load(path, net=NET)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"classes": 5}, "no strings"),
        ({"classes": [1]}, "no strings"),
        ({"kind": ["MLP"]}, "no string"),
        ({"kind": "CNN"}, "not understood"),
        ({"config": [1]}, "not understood"),
        ({"config": {"sizes": 5}}, "not understood"),
        ({"config": {"sizes": [4, 10**12, 3]}}, "expected float32"),
    ],
)
def test_hostile_header(fitted: train.Fitted, tmp_path: Path, change: dict[str, Any], words: str) -> None:
    path = train.save(tmp_path / "m.safetensors", fitted)
    header, arrays = train.model_file._read(path)
    path.write_bytes(_format.encode(header | change, arrays)[0])
    with pytest.raises(FormatError, match=words):
        train.load(path)


def test_every_damage_is_named(fitted: train.Fitted, tmp_path: Path) -> None:
    path = train.save(tmp_path / "m.safetensors", fitted)
    content, rng = path.read_bytes(), np.random.default_rng(0)
    damaged = tmp_path / "damaged.safetensors"
    for trial in range(600):
        body = bytearray(content)
        if trial % 3 == 0:
            body = body[: rng.integers(len(body))]
        elif trial % 3 == 1:
            body[rng.integers(len(body))] ^= 1 << rng.integers(8)
        else:
            body += bytes(rng.integers(1, 9))
        damaged.write_bytes(bytes(body))
        try:
            model = train.load(damaged)
        except FormatError:
            continue
        # White space and key order of the outer header may change without a change of meaning.
        jax.tree.map(np.testing.assert_array_equal, model.params, fitted.params)
        assert model.config == CONFIG
        assert model.classes == fitted.classes


def test_refuses(fitted: train.Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.safetensors"
    with pytest.raises(TypeError, match=r"what train.fit or train.load returned"):
        train.save(path, fitted.params)
    other: Any = dataclasses.replace(fitted, scaling=lambda x: x)
    with pytest.raises(TypeError, match=r"scale with jaxdl.scaling"):
        train.save(path, other)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        train.load(path)
    monkeypatch.setattr(_format, "VERSION", 3)
    path.write_bytes(_format.encode({}, {}, version=3)[0])
    monkeypatch.undo()
    with pytest.raises(FormatError, match=r"of version 3; this jaxdl reads up to 2"):
        train.load(path)


def test_files_of_version_1_are_read() -> None:
    model = train.load(GOLDEN / "model_version_1.safetensors")
    assert (model.config, model.classes) == (CONFIG, ("a", "b", "c"))
    assert model.scaling is not None
    assert jnp.shape(model.scaling.factor) == ()
    np.testing.assert_allclose(model.predict(X[:2]), PREDICTED_BY_VERSION_1, rtol=1e-5)
