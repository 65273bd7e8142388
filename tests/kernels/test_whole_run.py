"""A whole training run with convolutions and pools: what the compiler makes of it, and that it learns."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxdl import losses, net, optim
from jaxdl.layers import Activation, AvgPool, Conv, Flatten, Linear, MaxPool
from jaxdl.train import Arrays, Spec, make_train

SLOW = (" convolution(", "select-and-scatter", "select_and_scatter")


class Small(nnx.Module):
    """Convolutions of 5x5 with padding, 3x3 and 1x1, pools that overlap and that do not."""

    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.parts = nnx.List(
            [
                Conv(1, 4, (5, 5), padding=((2, 2), (2, 2)), rngs=rngs),
                Activation("relu"),
                MaxPool((2, 2)),
                Conv(4, 6, (3, 3), rngs=rngs),
                Activation("relu"),
                MaxPool((3, 3), strides=2, padding="SAME"),
                Conv(6, 6, (3, 3), strides=2, rngs=rngs),
                Conv(6, 5, (1, 1), rngs=rngs),
                AvgPool((2, 2), strides=1, padding="SAME"),
                Flatten(),
                Linear(20, 2, rngs=rngs),
            ]
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        for part in self.parts:
            x = part(x)
        return x


def data() -> Arrays:
    """Return bright lines, lying or standing: 64 to train, 16 to hold out."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 80)
    images = rng.normal(size=(80, 14, 14, 1)).astype(np.float32) * 0.3
    for image, label, place in zip(images, labels, rng.integers(1, 13, 80)):
        image[(place, slice(None)) if label else (slice(None), place)] += 1
    x, y = jnp.asarray(images), jnp.asarray(labels, jnp.int32)
    return Arrays(x[:64], y[:64], x[64:], y[64:])


@pytest.mark.parametrize("members", [0, pytest.param(3, marks=pytest.mark.slow)])
def test_no_convolution_is_left_to_the_compiler_on_cpu(members: int) -> None:
    if jax.default_backend() != "cpu":
        pytest.skip("convolutions are left to the compiler elsewhere")
    train = make_train(
        net.functional(lambda rngs: Small(rngs=rngs)),
        losses.softmax_cross_entropy,
        lambda hyper: optim.adam(hyper["learning_rate"]),
        Spec(epochs=6, batch_size=8),
    )
    rates: Any = jnp.float32(0.01)
    if members:
        train, rates = jax.vmap(train, in_axes=(None, None, None, 0)), jnp.full(members, 0.01)
    arguments = (jax.random.key(0), jax.random.key(1), data(), {"learning_rate": rates})
    program = jax.jit(train).lower(*arguments).compile()
    text = program.as_text()
    assert [word for word in SLOW if word in text] == []
    history = program(*arguments).history
    first, last = (np.asarray(history["loss"])[..., epoch] for epoch in (0, -1))
    assert (last < 0.5 * first).all()


def test_the_words_are_those_of_the_compiler() -> None:
    from jaxdl.kernels import conv, pool

    def left(x: jax.Array) -> jax.Array:
        w, numbers = jnp.ones((3, 3, 1, 2)), ("NHWC", "HWIO", "NHWC")
        y = conv.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=numbers, implementation="xla")
        return jnp.sum(pool.max_pool(y, (2, 2), implementation="xla") ** 2)

    text = jax.jit(jax.grad(left)).lower(jnp.ones((2, 8, 8, 1))).compile().as_text()
    assert SLOW[0] in text
    assert SLOW[2] in text
