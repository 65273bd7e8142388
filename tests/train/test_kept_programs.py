"""Compiled programs are kept for the shapes they take and the settings of jax that they were traced under."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from common import X

from jaxdl import losses, net, optim, train
from jaxdl._keys import key_of
from jaxdl.select import _program
from jaxdl.train import runner, segments
from jaxdl.train.sweeps import program

KEEPERS: dict[str, Callable[[Any, dict[Any, Any]], Any]] = {
    "fit": lambda function, kept: runner._compiled(kept, function, jnp.eye(2)),
    "stream": lambda function, kept: segments.SegmentRunner.compiled(
        SimpleNamespace(plain=SimpleNamespace(segment=function, finish=function), ready=kept),  # type: ignore[arg-type]
        jnp.eye(2), (None, None), None, {},
    )[0],
    "sweep": lambda function, kept: program.Runner.compiled(
        SimpleNamespace(form=SimpleNamespace(lanes=1), chunk=function, ready=kept),  # type: ignore[arg-type]
        jnp.eye(2), None, None, None, None,
    ),
    "select": lambda function, kept: _program.compiled(
        "op", kept.setdefault("build", lambda size: function), (jnp.eye(2),), points=1, batch_size=None,
        memory_limit=1,
    ).call,
}  # fmt: skip


@pytest.mark.parametrize("keeper", KEEPERS)
def test_another_precision_is_another_program(keeper: str) -> None:
    function, kept = jax.jit(lambda x, *_: x @ x), {}

    def compiled() -> Any:
        return KEEPERS[keeper](function, kept)

    first = compiled()
    assert compiled() is first
    with jax.default_matmul_precision("highest"):
        second = compiled()
        assert compiled() is second is not first
    assert compiled() is first


def test_fit_draws_by_the_generator_that_is_set() -> None:
    line = net.from_pair(lambda key: {"w": jax.random.normal(key, (4, 1))}, lambda params, x: x @ params["w"])
    optimizer = optim.sgd(0.1)

    def fit() -> np.ndarray:
        return train.fit(line, (X[:20], X[:20, :1]), loss=losses.squared_error, optimizer=optimizer,
                         epochs=1, batch_size=10, progress="off").params["w"]  # fmt: skip

    first = fit()
    with jax.threefry_partitionable(False):
        other = fit()
    assert not np.array_equal(first, other)
    assert np.array_equal(first, fit())


def test_the_key_heeds_structure_shapes_dtypes_and_settings() -> None:
    one = jnp.ones(3)
    contexts = [jax.enable_x64(True), jax.default_matmul_precision("highest"), jax.default_prng_impl("rbg"),
                jax.threefry_partitionable(False), jax.numpy_dtype_promotion("strict"),
                jax.default_device(jax.devices()[0])]  # fmt: skip
    keys = [key_of(one), key_of([one]), key_of(jnp.ones(4)), key_of(jnp.ones(3, jnp.int32))]
    for context in contexts:
        with context:
            keys.append(key_of(one))
    assert len(set(keys)) == len(keys)
    assert key_of(one) == key_of(jax.ShapeDtypeStruct((3,), jnp.float32))
