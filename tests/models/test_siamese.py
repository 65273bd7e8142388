"""The siamese network: one set of weights for both sides, over any encoder; and the encoder of images."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxdl import losses, net, train
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.models import MLP, Embedder, EmbedderConfig, MLPConfig, Siamese
from jaxdl.train.model_file import Loaded

CONFIG = EmbedderConfig(size=6, widths=(3,), features=4, normalise=True)


def siamese(rngs: nnx.Rngs) -> Siamese:
    return Siamese(MLP(MLPConfig(sizes=(3, 5, 2)), rngs=rngs), normalise=True)


def test_both_sides_share_one_set_of_weights() -> None:
    network = net.functional(siamese)
    params, state = network.init(jax.random.key(0))
    rng = np.random.default_rng(0)
    sides = {side: rng.normal(size=(4, 3)).astype(np.float32) for side in ("first", "second")}
    same = np.array([1, 0, 1, 0])

    @jax.jit
    def run(params: net.Tree) -> tuple[Any, ...]:
        def together(params: net.Tree) -> tuple[jax.Array, Any]:
            twins, _ = network.apply(params, state, sides, train=True)
            return losses.contrastive(*twins, same).sum(), twins

        def alone(params: net.Tree) -> tuple[jax.Array, Any]:
            twins = tuple(network.apply(params, state, x, train=True)[0] for x in sides.values())
            return losses.contrastive(*twins, same).sum(), twins

        return tuple(jax.grad(part, has_aux=True)(params) for part in (together, alone))

    (gradient, twins), (gradient_alone, twins_alone) = run(params)
    np.testing.assert_allclose(twins, twins_alone, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(twins.first, axis=1), 1, rtol=1e-6)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), gradient, gradient_alone
    )


def test_wrong_sides_and_encoders_are_named() -> None:
    def call(x: object) -> object:
        return nnx.eval_shape(lambda: siamese(nnx.Rngs(0))(x))

    x = jnp.ones((4, 3))
    with pytest.raises(DtypeError, match=r"a dict of \['left', 'right'\].*\['first', 'second'\]"):
        call({"left": x, "right": x})
    with pytest.raises(ShapeError, match=r"'second' is of shape \(2, 3\)"):
        call({"first": x, "second": x[:2]})
    with pytest.raises(DtypeError, match=r"'encoder' is a function; expected an nnx\.Module"):
        Siamese(call)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match=r"outputs \(4, 2, 2, 3\); expected \(4, features\)"):
        nnx.eval_shape(lambda: Siamese(nnx.Conv(1, 3, (3, 3), rngs=nnx.Rngs(0)))(jnp.ones((4, 2, 2, 1))))
    with pytest.raises(ValueError, match="one of True, False"):
        Siamese(nnx.Linear(2, 2, rngs=nnx.Rngs(0)), normalise="yes")  # type: ignore[arg-type]


def test_an_embedder_is_rebuilt_from_its_file(tmp_path: Path) -> None:
    network = net.functional(lambda rngs: Embedder(CONFIG, rngs=rngs))
    params, state = network.init(jax.random.key(0))
    images = np.random.default_rng(0).normal(size=(2, 6, 6, 1)).astype(np.float32)
    path = train.save(tmp_path / "embedder.safetensors", Loaded(network, params, state, CONFIG, None, None))
    again = train.load(path)
    assert again.config == CONFIG
    embeddings = again.predict(images)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(embeddings, network.apply(params, state, images, train=False)[0], rtol=1e-5)


def test_embeddings_of_any_length_and_of_length_1() -> None:
    images = np.random.default_rng(0).normal(size=(2, 6, 6, 1)).astype(np.float32)
    configs = [dataclasses.replace(CONFIG, normalise=flag) for flag in (False, True)]
    free, unit = (net.functional(lambda rngs, of=config: Embedder(of, rngs=rngs)) for config in configs)
    params, state = free.init(jax.random.key(0))
    lengths = [
        np.linalg.norm(network.apply(params, state, images, train=False)[0], axis=1)
        for network in (free, unit)
    ]
    assert np.abs(lengths[0] - 1).max() > 0.1
    np.testing.assert_allclose(lengths[1], 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"widths": ()}, r"'widths' is \(\); expected 1 to 4 blocks"),
        ({"widths": (4,) * 5}, "each halves 28"),
        ({"features": 0}, "at least 1"),
        ({"normalise": "yes"}, "one of True, False"),
    ],
)
def test_bad_sizes_are_named(options: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        EmbedderConfig(**options)  # type: ignore[arg-type]
