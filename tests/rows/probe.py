"""Rows of `jaxdl.probe`."""

from functools import partial

import jax.numpy as jnp
import numpy as np

from jaxdl import net, probe
from jaxdl.errors import DtypeError, ShapeError
from rows.common import EXTREME, INTEGERS, ROWS, Bad, Call, Op, X


def dead(outputs: np.ndarray) -> np.ndarray:
    columns = outputs.reshape(-1, outputs.shape[-1]).T
    return np.array(np.mean([all(value <= 0 for value in column) for column in columns]))


def saturated(outputs: np.ndarray, *, low: float, high: float, margin: float) -> np.ndarray:
    distance = np.minimum(outputs - low, high - outputs)
    return np.array((distance <= margin * (high - low)).mean())


def histogram(outputs: np.ndarray, *, low: float, high: float, bins: int) -> np.ndarray:
    edges = np.linspace(low, high, bins + 1)
    edges[0], edges[-1] = -np.inf, np.inf
    return np.histogram(outputs, edges)[0] / outputs.size


def sometimes_negative(rng: np.random.Generator) -> tuple[np.ndarray]:
    return (rng.normal(size=(3, 4, 12)) - 1.5,)


OUTPUTS_BAD: tuple[Bad, ...] = (
    ((INTEGERS,), {}, DtypeError, "expected a floating dtype"),
    ((jnp.ones(3),), {}, ShapeError, r"\(batch, ..., units\)"),
    ((jnp.ones((0, 3)),), {}, ShapeError, "at least one entry"),
    (([[1.0]],), {}, DtypeError, "is a list"),
)
ENDS_BAD: tuple[Bad, ...] = (
    ((X,), {"low": 1.0, "high": 1.0}, ValueError, "expected low < high"),
    ((X,), {"low": float("nan")}, ValueError, "'low' is nan"),
)
EXTREMES = ((ROWS,), (EXTREME[None],))
TREE = {"w": jnp.ones(3)}
PAIR = net.from_pair(lambda key: {"w": jnp.ones((2, 2))}, lambda params, x: x @ params["w"])
LINEAR = net.Net(PAIR.init, PAIR.apply, trace=lambda *args, **options: {})

OPS: tuple[Op, ...] = (
    Op("probe.dead", probe.dead, sometimes_negative, dead, OUTPUTS_BAD, differentiable=(),
       extremes=EXTREMES, batched=False),
    Op(
        "probe.saturated", partial(probe.saturated, low=-1.0, high=1.0, margin=0.1), sometimes_negative,
        partial(saturated, low=-1.0, high=1.0, margin=0.1),
        (*OUTPUTS_BAD, *ENDS_BAD, ((X,), {"margin": 0.5}, ValueError, r"\[0, 0.5\)")),
        differentiable=(), extremes=EXTREMES, batched=False,
    ),
    Op(
        "probe.histogram", partial(probe.histogram, low=-2.0, high=1.0, bins=7), sometimes_negative,
        partial(histogram, low=-2.0, high=1.0, bins=7),
        (
            *OUTPUTS_BAD, *ENDS_BAD,
            ((X,), {"bins": 0}, ValueError, "'bins' is 0"),
            ((X,), {"bins": 2.5}, DtypeError, "whole number"),
        ),
        differentiable=(), extremes=EXTREMES, batched=False,
    ),
)  # fmt: skip
CALLS: tuple[Call, ...] = (
    (
        "probe.norms", probe.norms,
        (
            (({},), {}, ValueError, "without leaves"),
            (({"w": jnp.ones(3, jnp.int32)},), {}, DtypeError, "'w' is of dtype int32"),
            (({"w": "three"},), {}, DtypeError, "'w' is a str"),
        ),
    ),
    (
        "probe.parameters", probe.parameters,
        tuple(((name,), {}, ValueError, "'gradient_norm', 'update_norm'") for name in ("norm", None, 2)),
    ),
    (
        "probe.activations", probe.activations,
        (
            ((PAIR,), {}, TypeError, "probe.parameters"),
            ((None,), {}, TypeError, "a NoneType whose outputs"),
            ((LINEAR, "median"), {}, ValueError, "'mean', 'std'"),
            ((LINEAR,), {"kinds": {"a": "gelu"}}, ValueError, "'kinds' is 'gelu'"),
            ((LINEAR,), {"low": 2.0, "high": 1.0}, ValueError, "low < high"),
            ((LINEAR,), {"bins": 0}, ValueError, "'bins' is 0"),
            ((LINEAR,), {"margin": 0.7}, ValueError, "margin"),
            ((LINEAR,), {"train": "yes"}, ValueError, "True, False"),
        ),
    ),
    (
        "probe.layers", probe.layers,
        (
            ((PAIR,), {}, TypeError, "probe.parameters"),
            ((LINEAR,), {"bins": -1}, ValueError, "'bins' is -1"),
            ((LINEAR,), {"margin": -0.1}, ValueError, "margin"),
        ),
    ),
    (
        "probe.join", probe.join,
        (
            ((), {}, ValueError, "at least one record"),
            ((probe.parameters(), None), {}, TypeError, "a NoneType"),
            ((TREE,), {}, TypeError, "a dict"),
        ),
    ),
)  # fmt: skip
