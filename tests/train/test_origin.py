"""The origin of numbers that are not finite: planted faults, and faults that reach nothing."""

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from jaxdl import net
from jaxdl.models import MLP, MLPConfig
from jaxdl.train.origin import Origin, examine, first_nonfinite

ZEROS, ONES = jnp.zeros(3), jnp.ones(3)


def log_of_zero(p: jax.Array) -> jax.Array:
    kept = jax.nn.relu(p)
    found = jnp.log(kept)  # planted
    return jnp.sum(0.0 * found)


def root_of_zero(p: jax.Array) -> jax.Array:
    return jnp.sum(jnp.sqrt(p))  # planted


def overflow(p: jax.Array) -> jax.Array:
    return jnp.sum(
        jnp.exp(100 * p)  # planted
    )


def guarded(p: jax.Array) -> jax.Array:
    safe = jnp.where(p > 0, jnp.log(p), 0.0)
    return jnp.sum(safe) + jnp.sum(1 / p)  # planted


def masked_whole(p: jax.Array) -> jax.Array:
    scores = jnp.where(p > 5, p, -jnp.inf)
    return jnp.sum(jax.nn.softmax(scores))  # planted


def scanned(p: jax.Array) -> jax.Array:
    def body(h: jax.Array, i: jax.Array) -> Any:
        z = jnp.tanh(h + p.sum()) / (2.0 - i)  # planted
        return h + z, jnp.sin(z)

    return jax.lax.scan(body, 1.0, jnp.arange(5.0))[1].sum()


def backwards(p: jax.Array) -> jax.Array:
    def body(h: jax.Array, i: jax.Array) -> Any:
        z = p.sum() * jnp.log(i)  # planted
        return h + z, z

    return jax.lax.scan(body, 1.0, jnp.arange(3.0), reverse=True)[0]


def inside_calls(p: jax.Array) -> jax.Array:
    @jax.jit
    @jax.checkpoint
    def inner(p: jax.Array) -> jax.Array:
        return 1 / jnp.sin(p)  # planted

    return inner(p).sum()


@pytest.mark.parametrize(
    ("function", "transform", "argument", "operation"),
    [
        (log_of_zero, jax.value_and_grad, ZEROS, "log"),
        (root_of_zero, jax.value_and_grad, ZEROS, "div"),
        (overflow, jax.grad, ONES, "exp"),
        (guarded, lambda f: f, ZEROS, "div"),
        (masked_whole, jax.value_and_grad, ZEROS, "reduce_max"),
        (scanned, jax.value_and_grad, ZEROS, "div"),
        (backwards, jax.grad, ZEROS, "log"),
        (inside_calls, jax.value_and_grad, ZEROS, "div"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_the_line_of_a_planted_fault(
    function: Callable[..., Any], transform: Any, argument: jax.Array, operation: str
) -> None:
    lines, first = inspect.getsourcelines(function)
    planted = first + next(i for i, text in enumerate(lines) if "# planted" in text)
    origin = first_nonfinite(transform(function), argument)
    assert origin is not None
    assert origin.operation == operation
    assert origin.line.startswith(f"{__file__}:{planted} in {function.__name__}")


def test_what_is_finite_or_reaches_nothing_has_no_origin() -> None:
    values, origin = examine(lambda p: {"y": jnp.where(p > 0, jnp.log(p), 0.0) + 1}, ZEROS)
    assert origin is None
    assert values["y"].tolist() == [1.0, 1.0, 1.0]


def test_an_argument_is_named_by_its_place() -> None:
    found = first_nonfinite(lambda p, hyper: p * hyper["rate"], ONES, {"rate": jnp.float32(jnp.nan)})
    assert found == Origin("", "argument [1]['rate']")


def test_a_line_of_ours_says_who_called_it() -> None:
    config = MLPConfig(sizes=(3, 2), activation="identity")
    network = net.functional(lambda rngs: MLP(config, rngs=rngs))
    params, state = network.init(jax.random.key(0))

    def output(x: jax.Array) -> jax.Array:
        return network.apply(params, state, x, train=True)[0]  # the line that calls

    origin = first_nonfinite(output, jnp.full((2, 3), 3e38))
    assert origin is not None
    line = inspect.getsourcelines(output)[1] + 1
    assert origin.line.startswith("jaxdl/")
    assert origin.line.endswith(f"called from {__file__}:{line} in {output.__qualname__}")


def test_a_network_of_flax_is_named_by_the_line_of_its_own() -> None:
    class Ratio(nnx.Module):
        def __call__(self, x: jax.Array) -> jax.Array:
            return x / x.sum()  # planted

    network = net.functional(lambda rngs: Ratio())
    origin = first_nonfinite(lambda x: network.apply({}, {}, x, train=True)[0], ZEROS)
    assert origin is not None
    assert f"{__file__}:{inspect.getsourcelines(Ratio)[1] + 2} in " in origin.line
