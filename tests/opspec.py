"""The one table of public array functions. `test_ops.py` grows out of it; an op without a row fails there.

Optimizers, initialisers and scalings are factories; they have rows in `FACTORIES`, with bad inputs here
and their own tests beside their modules.
"""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
import oracles

from jaxdl import activations, initializers, losses, metrics, optim, scaling
from jaxdl.errors import DtypeError, FormatError, ShapeError
from jaxdl.kernels import dense

Bad = tuple[tuple[Any, ...], dict[str, Any], type[Exception], str]
WHOLE = (((1,), (0,)), ((), ()))


@dataclasses.dataclass(frozen=True)
class Op:
    """One way to call a public function.

    Attributes:
        name: ``module.function`` and, after a colon, the way it is called.
        function: of arrays alone; keywords are bound.
        inputs: sample arrays, floats in float64, drawn from a generator.
        reference: the float64 oracle.
        differentiable: positions of the arguments that have a gradient.
        extremes: arrays at which value and gradient must be finite.
        bad: at least three calls (args, kwargs, error, words of its message).
        torch: ``torch(module, *tensors)``, the twin, or None.
        batched: whether every argument has the batch in front, for vmap against a loop.
        length: length of the longest sum, which scales the float32 tolerance.
    """

    name: str
    function: Callable[..., Any]
    inputs: Callable[[np.random.Generator], tuple[Any, ...]]
    reference: Callable[..., Any]
    bad: tuple[Bad, ...]
    differentiable: tuple[int, ...] = (0,)
    extremes: tuple[tuple[Any, ...], ...] = ()
    torch: Callable[..., Any] | None = None
    batched: bool = True
    length: int = 1


def _away_from_zero(rng: np.random.Generator) -> tuple[np.ndarray]:
    x = rng.normal(size=(4, 5))
    return (x + np.sign(x) * 0.1,)


def _normal(*shape: int) -> Callable[[np.random.Generator], tuple[np.ndarray]]:
    return lambda rng: (rng.normal(size=shape) * 2,)


def _logits_and_labels(rng: np.random.Generator) -> tuple[Any, ...]:
    return rng.normal(size=(6, 4)) * 3, rng.integers(0, 4, 6).astype(np.int32)


def _logits_and_rows(rng: np.random.Generator) -> tuple[Any, ...]:
    rows = rng.random((6, 4))
    return rng.normal(size=(6, 4)) * 3, rows / rows.sum(1, keepdims=True)


def _pair(rng: np.random.Generator) -> tuple[Any, ...]:
    return rng.normal(size=(6, 3)), rng.normal(size=(6, 3))


def _masked(rng: np.random.Generator) -> tuple[Any, ...]:
    mask = rng.random((6, 4)) < 0.6
    mask[0] = False
    return rng.normal(size=(6, 4)) * 3, mask


EXTREME = np.array([-1e4, -1.0, -1e-40, 0.0, 1e-40, 1.0, 1e4], np.float32)
ROWS = np.stack([EXTREME, np.full(7, 1e4), np.full(7, -1e4), np.zeros(7)]).astype(np.float32)
LABELS = np.array([0, 6, 3, 2], np.int32)
X = jnp.ones((4, 5))
INTEGERS = jnp.ones((4, 5), jnp.int32)

ELEMENTWISE_BAD: tuple[Bad, ...] = (
    ((INTEGERS,), {}, DtypeError, "of dtype int32; expected a floating dtype"),
    (([1.0, 2.0],), {}, DtypeError, "is a list; expected an array"),
    (("one",), {}, DtypeError, "is a str; expected an array"),
)
CROSS_ENTROPY_BAD: tuple[Bad, ...] = (
    ((X, jnp.zeros((4, 1), jnp.int32)), {}, ShapeError, r"labels.reshape\(\(4,\)\)"),
    ((X, jnp.zeros((4,))), {}, DtypeError, r"labels.astype\(jnp.int32\)"),
    ((X, jnp.zeros((4, 5), jnp.int32)), {}, DtypeError, r"labels.astype\(jnp.float32\)"),
    ((INTEGERS, jnp.zeros((4,), jnp.int32)), {}, DtypeError, "'logits' is of dtype int32"),
    ((X, jnp.zeros((3,), jnp.int32)), {}, ShapeError, "give one label an example"),
    ((jnp.ones((4, 0)), jnp.zeros((4,), jnp.int32)), {}, ShapeError, "at least one class"),
)

OPS: tuple[Op, ...] = (
    Op(
        "activations.sigmoid", activations.sigmoid, _normal(4, 5), oracles.sigmoid, ELEMENTWISE_BAD,
        extremes=((EXTREME,),), torch=lambda torch, x: torch.sigmoid(x),
    ),
    Op(
        "activations.relu", activations.relu, _away_from_zero, oracles.relu, ELEMENTWISE_BAD,
        extremes=((EXTREME,),), torch=lambda torch, x: torch.relu(x),
    ),
    Op(
        "activations.softmax", activations.softmax, _normal(6, 4), oracles.softmax,
        (
            *ELEMENTWISE_BAD,
            ((jnp.float32(1),), {}, ShapeError, "at least 1 axes"),
            ((X,), {"axis": 2}, ShapeError, "an axis of an array of shape"),
        ),
        extremes=((ROWS,),), torch=lambda torch, x: torch.softmax(x, -1), length=4,
    ),
    Op(
        "activations.softmax:mask", lambda x, where: activations.softmax(x, where=where), _masked,
        oracles.softmax,
        (
            ((X, X), {}, DtypeError, "expected bool"),
            ((X, jnp.ones((3,), bool)), {}, ShapeError, "broadcasts to"),
            ((X, [True]), {}, DtypeError, "is a list"),
        ),
        extremes=((ROWS, ROWS > 0), (ROWS, np.zeros_like(ROWS, bool))), length=4,
    ),
    *(
        Op(
            f"losses.squared_error:{outputs}", partial(losses.squared_error, outputs=outputs), _pair,
            partial(oracles.squared_error, outputs=outputs),
            (
                ((jnp.ones(4), jnp.ones((4, 1))), {}, ShapeError, r"targets.reshape\(predictions.shape\)"),
                ((X, INTEGERS), {}, DtypeError, "'targets' is of dtype int32"),
                ((jnp.float32(1), jnp.float32(1)), {}, ShapeError, r"\(batch, ...\)"),
                ((X, jnp.ones((4, 4))), {}, ShapeError, "nothing is broadcast"),
            ),
            differentiable=(0, 1), extremes=((ROWS, ROWS[::-1]),), torch=twin, batched=False, length=3,
        )
        for outputs, twin in (
            ("mean", lambda torch, a, y: torch.nn.MSELoss(reduction="none")(a, y).mean(1)),
            ("sum", lambda torch, a, y: torch.nn.MSELoss(reduction="none")(a, y).sum(1)),
        )
    ),
    Op(
        "losses.softmax_cross_entropy:integer", losses.softmax_cross_entropy, _logits_and_labels,
        oracles.softmax_cross_entropy, CROSS_ENTROPY_BAD, extremes=((ROWS, LABELS),),
        torch=lambda torch, z, y: torch.nn.functional.cross_entropy(z, y.long(), reduction="none"), length=4,
    ),
    Op(
        "losses.softmax_cross_entropy:one_hot", losses.softmax_cross_entropy, _logits_and_rows,
        oracles.softmax_cross_entropy, CROSS_ENTROPY_BAD, differentiable=(0, 1),
        extremes=((ROWS, np.eye(7, dtype=np.float32)[LABELS]), (ROWS, np.zeros_like(ROWS))),
        torch=lambda torch, z, y: torch.nn.functional.cross_entropy(z, y, reduction="none"), length=4,
    ),
    *(
        Op(
            f"losses.reduce:{reduction}", partial(losses.reduce, reduction=reduction), _normal(7),
            partial(oracles.reduce, reduction=reduction),
            (
                ((jnp.ones((0,)),), {}, ShapeError, "at least one loss"),
                ((jnp.ones(2, jnp.int32),), {}, DtypeError, "expected a floating dtype"),
                (([1.0],), {}, DtypeError, "is a list"),
            ),
            extremes=((EXTREME,),), batched=False, length=7,
        )
        for reduction in losses.REDUCTIONS
    ),
    Op(
        "metrics.accuracy", metrics.accuracy, _logits_and_labels, oracles.accuracy,
        (
            ((X, jnp.zeros((4,))), {}, DtypeError, "'labels' is of dtype float32"),
            ((X, jnp.zeros((3,), jnp.int32)), {}, ShapeError, "give one label an example"),
            ((X, jnp.zeros((4, 1))), {}, ShapeError, "nothing is broadcast"),
            ((jnp.ones((4, 0)), jnp.zeros((4,), jnp.int32)), {}, ShapeError, "at least one class"),
        ),
        differentiable=(), extremes=((ROWS, LABELS),),
    ),
    *(
        Op(
            f"kernels.dense.dot_general:{implementation}",
            lambda x, w, i=implementation: dense.dot_general(x, w, WHOLE, implementation=i),
            lambda rng: (rng.normal(size=(6, 5)), rng.normal(size=(5, 3))), oracles.product,
            (
                ((X, X, WHOLE), {"implementation": "fast"}, ValueError, "expected None or one of"),
                ((X, jnp.ones((4, 3)), WHOLE), {}, TypeError, "contracting dimension"),
                ((X, X, (((3,), (0,)), ((), ()))), {}, TypeError, "contracting"),
            ),
            differentiable=(0, 1), extremes=((ROWS, ROWS.T),), batched=False,
            torch=lambda torch, x, w: x @ w, length=5,
        )
        for implementation in dense.IMPLEMENTATIONS
    ),
)  # fmt: skip

Factory = tuple[str, Callable[..., Any], tuple[Bad, ...]]
RATE_BAD: tuple[Bad, ...] = (
    ((-0.1,), {}, ValueError, r"'learning_rate' is -0.1; expected \[0, inf\)"),
    ((float("nan"),), {}, ValueError, "'learning_rate' is nan"),
    (("0.1",), {}, DtypeError, "expected a number"),
    (([0.1],), {}, DtypeError, "expected a number"),
    ((float("inf"),), {}, ValueError, "'learning_rate' is inf"),
)
FAN_BAD: tuple[Bad, ...] = (
    ((), {"distribution": "gaussian"}, ValueError, "'normal', 'truncated_normal', 'uniform'"),
    ((), {"distribution": None}, ValueError, "'distribution' is None"),
    ((), {"distribution": 1}, ValueError, "'distribution' is 1"),
)
FACTORIES: tuple[Factory, ...] = (
    ("initializers.zeros", initializers.zeros, ()),
    (
        "initializers.normal", initializers.normal,
        tuple(((), {"stddev": v}, ValueError, "stddev") for v in (-1.0, float("nan"), float("inf"))),
    ),
    ("initializers.lecun", initializers.lecun, FAN_BAD),
    ("initializers.he", initializers.he, FAN_BAD),
    ("initializers.glorot", initializers.glorot, FAN_BAD),
    ("optim.sgd", optim.sgd, RATE_BAD),
    (
        "optim.momentum", optim.momentum,
        (
            *RATE_BAD,
            ((0.1,), {"beta": 1.0}, ValueError, r"'beta' is 1.0; expected \[0, 1\)"),
            ((0.1,), {"form": "nesterov"}, ValueError, "'heavy_ball', 'average'"),
            ((0.1,), {"debias": True}, ValueError, "form='average'"),
        ),
    ),
    (
        "optim.adam", optim.adam,
        (
            *RATE_BAD,
            ((0.1,), {"beta1": -0.1}, ValueError, "'beta1' is -0.1"),
            ((0.1,), {"beta2": 2}, ValueError, "'beta2' is 2"),
            ((0.1,), {"eps": -1}, ValueError, "'eps' is -1"),
        ),
    ),
    (
        "scaling.pixels", scaling.pixels,
        tuple(((), {"highest": v}, ValueError, "highest") for v in (0, -1, float("inf"))),
    ),
    (
        "scaling.z_score", scaling.z_score,
        (
            ((np.zeros((0, 3)),), {}, ShapeError, "at least one example"),
            ((np.float64(1),), {}, ShapeError, "at least one example"),
            ((np.array([["a"]]),), {}, DtypeError, "numbers"),
            ((np.array([[np.nan], [1.0]]),), {}, FormatError, "finite"),
            ((np.array([[0.0], [1e-40]]),), {}, FormatError, "float32"),
        ),
    ),
)  # fmt: skip
