"""The networks of signals and of volumes: their counts, what they are indifferent to, what they refuse."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxdl import net
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.models import SignalNet, SignalNetConfig, VolumeNet, VolumeNetConfig

SMALL = {"signal": SignalNetConfig(widths=(3, 4), kernel_size=3), "volume": VolumeNetConfig(widths=(2, 3))}
MODELS: dict[str, Any] = {"signal": SignalNet, "volume": VolumeNet}


def network(kind: str, config: Any) -> net.Net:
    return net.functional(lambda rngs: MODELS[kind](config, rngs=rngs))


@pytest.mark.parametrize(
    ("kind", "config", "count"),
    [
        ("signal", SignalNetConfig(), 7 * (16 + 16 * 32 + 32 * 64) + 2 * 112 + 65 * 4),
        ("volume", VolumeNetConfig(), 27 * (8 + 8 * 16 + 16 * 32) + 2 * 56 + 33 * 10),
    ],
)
def test_counts(kind: str, config: Any, count: int) -> None:
    params, _ = jax.eval_shape(network(kind, config).init, jax.random.key(0))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count


def test_multiply_adds_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jaxdl.net._summary.PROBED_PARAMETERS", 0)  # compiles nothing
    found = net.summary(network("signal", SMALL["signal"]), jax.ShapeDtypeStruct((1, 16, 1), jnp.float32))
    assert found.macs == 16 * 3 * 3 + 8 * 3 * 3 * 4 + 4 * 4
    found = net.summary(
        network("volume", SMALL["volume"]), jax.ShapeDtypeStruct((1, 4, 4, 4, 1), jnp.float32)
    )
    assert found.macs == 64 * 27 * 2 + 8 * 27 * 2 * 3 + 3 * 10


@pytest.mark.parametrize(("kind", "space"), [("signal", (12,)), ("volume", (4, 4, 6))])
def test_equals_a_loop_over_positions(kind: str, space: tuple[int, ...]) -> None:
    """The first block of one output channel against sums over windows, in float64."""
    config = MODELS_ONE[kind]
    made = network(kind, config)
    params, state = made.init(jax.random.key(1))
    x = np.random.default_rng(0).normal(size=(1, *space, 1)).astype(np.float32)
    kernel = np.asarray(params["layers"][0]["kernel"], np.float64)[..., 0, 0]
    padded = np.pad(np.asarray(x[0, ..., 0], np.float64), 1)
    pooled = [
        max((padded[tuple(slice(i, i + 3) for i in place)] * kernel).sum() / np.sqrt(1 + 1e-5), 0)
        for place in np.ndindex(*space)
    ]
    head = params["layers"][4]
    wanted = np.mean(pooled) * np.asarray(head["kernel"][0]) + np.asarray(head["bias"])
    outputs, _ = made.apply(params, state, jnp.asarray(x), train=False)
    np.testing.assert_allclose(outputs[0], wanted, rtol=1e-4, atol=1e-5)


MODELS_ONE: dict[str, Any] = {
    "signal": SignalNetConfig(widths=(1,), kernel_size=3),
    "volume": VolumeNetConfig(widths=(1,)),
}


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"widths": ()}, ValueError, "at least one block"),
        ({"widths": 16}, DtypeError, r"Fix: widths=\(16,\)"),
        ({"widths": (4, 0)}, ValueError, "'widths' is 0"),
        ({"kernel_size": 2.5}, DtypeError, "a whole number"),
        ({"num_classes": 0}, ValueError, "at least 1"),
        ({"in_channels": "1"}, DtypeError, "a whole number"),
    ],
)
def test_configs_refuse(kind: str, change: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        type(SMALL[kind])(**change)


@pytest.mark.parametrize(
    ("kind", "shape", "words"),
    [
        ("signal", (2, 16), r"\(batch, length, 1\)"),
        ("signal", (2, 16), r"x\[..., None\] for one channel"),
        ("signal", (2, 16, 3), "in_channels=3"),
        ("signal", (2, 1, 16), "channels come last"),
        ("signal", (16,), r"x\[None, ..., None\] for a single input"),
        ("volume", (2, 8, 8, 8), r"x\[..., None\] for one channel"),
        ("signal", (2, 1, 1), "at least 2 along length"),
        ("volume", (2, 8, 8, 1), r"\(batch, depth, height, width, 1\)"),
        ("volume", (2, 8, 1, 8, 1), "fewer widths than 2 take smaller inputs"),
    ],
)
def test_inputs_are_checked(kind: str, shape: Any, words: str) -> None:
    model = nnx.eval_shape(lambda: MODELS[kind](SMALL[kind], rngs=nnx.Rngs(0)))
    with pytest.raises(ShapeError, match=words):
        model(jnp.ones(shape))
    with pytest.raises(DtypeError, match="floating"):
        model(jnp.ones(shape, jnp.int32))
