"""What every family of rows is written with: the row itself, sample inputs, extreme and bad ones."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxdl.errors import DtypeError

Bad = tuple[tuple[Any, ...], dict[str, Any], type[Exception], str]
Call = tuple[str, Callable[..., Any], tuple[Bad, ...]]


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


def away_from_zero(rng: np.random.Generator) -> tuple[np.ndarray]:
    x = rng.normal(size=(4, 5))
    return (x + np.sign(x) * 0.1,)


def normal(*shape: int) -> Callable[[np.random.Generator], tuple[np.ndarray]]:
    return lambda rng: (rng.normal(size=shape) * 2,)


def logits_and_labels(rng: np.random.Generator) -> tuple[Any, ...]:
    return rng.normal(size=(6, 4)) * 3, rng.integers(0, 4, 6).astype(np.int32)


def logits_and_rows(rng: np.random.Generator) -> tuple[Any, ...]:
    rows = rng.random((6, 4))
    return rng.normal(size=(6, 4)) * 3, rows / rows.sum(1, keepdims=True)


def pair(rng: np.random.Generator) -> tuple[Any, ...]:
    return rng.normal(size=(6, 3)), rng.normal(size=(6, 3))


def masked(rng: np.random.Generator) -> tuple[Any, ...]:
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
