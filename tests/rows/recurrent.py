"""Rows of `jaxdl.kernels.recurrent`."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import oracles

from jaxdl.kernels import recurrent
from jaxdl.kernels.recurrent import Weights
from rows.common import EXTREME, Bad, Call, Op

BATCH, TIME, IN, WIDE = 2, 3, 2, 3
GATES = {"rnn": 1, "gru": 3, "lstm": 4}
LENGTHS = np.array([3, 1], np.int32)


def arrays(kind: str, *time: int) -> Callable[[np.random.Generator], tuple[np.ndarray, ...]]:
    wide = GATES[kind] * WIDE
    shapes = [(BATCH, *time, IN), (BATCH, WIDE), (IN, wide), (WIDE, wide), (wide,), (WIDE,)]
    return lambda rng: tuple(rng.normal(size=shape) for shape in shapes)


def weights(kind: str, parts: tuple[Any, ...]) -> Weights:
    """Put the weights together; the last array is what only one of the cells has."""
    if kind == "lstm":
        return Weights(*parts[:3], peephole=jnp.stack([parts[3]] * 3))
    return Weights(*parts[: 4 if kind == "gru" else 3])


def called(kind: str, cell: str = "", **options: Any) -> Callable[..., jax.Array]:
    run = getattr(recurrent, kind + cell)

    def outputs(x: Any, h: Any, *parts: Any, **more: Any) -> jax.Array:
        carry = (h, 0.5 * h) if kind == "lstm" else h
        found = run(x, carry, weights(kind, parts), **(options | more))
        return found if cell and kind != "lstm" else found[0]

    return outputs


def by_loops(kind: str, lengths: Any = (TIME,) * BATCH, **options: Any) -> Callable[..., np.ndarray]:
    def outputs(x: np.ndarray, h: np.ndarray, *parts: np.ndarray) -> np.ndarray:
        y = np.zeros((*x.shape[:2], h.shape[-1]))
        for row, count in enumerate(lengths):
            carry = (h[row], 0.5 * h[row])
            for step in reversed(range(count)) if options.get("reverse") else range(count):
                carry = by_hand(kind, x[row, step], carry, parts)
                y[row, step] = carry[0]
        return y

    return outputs


def by_hand(
    kind: str, x: np.ndarray, carry: tuple[Any, ...], parts: tuple[np.ndarray, ...]
) -> tuple[Any, ...]:
    (h, c), (w, u, b, last) = carry, parts
    z, v = np.split(x @ w + b, GATES[kind], -1), np.split(h @ u, GATES[kind], -1)
    if kind == "rnn":
        return np.tanh(z[0] + v[0]), c
    if kind == "gru":
        r, update = oracles.sigmoid(z[0] + v[0]), oracles.sigmoid(z[1] + v[1])
        return update * h + (1 - update) * np.tanh(z[2] + r * (v[2] + last)), c
    i, f = (oracles.sigmoid(z[k] + v[k] + last * c) for k in (0, 1))
    c = f * c + i * np.tanh(z[2] + v[2])
    return oracles.sigmoid(z[3] + v[3] + last * c) * np.tanh(c), c


def step_by_hand(kind: str) -> Callable[..., np.ndarray]:
    return lambda x, h, *parts: by_loops(kind, (1,) * BATCH)(x[:, None], h, *parts)[:, 0]


def extremes(kind: str, *time: int) -> tuple[tuple[np.ndarray, ...], ...]:
    rng = np.random.default_rng(0)
    _, h, *parts = (part.astype(np.float32) for part in arrays(kind, *time)(rng))
    return ((np.resize(EXTREME, (BATCH, *time, IN)), h, *parts),)


def bad(kind: str, *time: int) -> tuple[Bad, ...]:
    x, h, *parts = (jnp.asarray(part, jnp.float32) for part in arrays(kind, *time)(np.random.default_rng(0)))
    state = "carry" if kind == "lstm" else "h"
    rows: tuple[Bad, ...] = (
        ((x[0], h, *parts), {}, ValueError, r"'x' is of shape .*; expected \(batch, "),
        ((x, h[:1], *parts), {}, ValueError, rf"'{state}' is of shape \(1, 3\).*here \(2, 3\)"),
        ((x[..., :0], h, *parts), {}, ValueError, "none of them 0"),
        ((x.astype(jnp.int32), h, *parts), {}, TypeError, "'x' is of dtype int32; expected a floating array"),
        (
            (x, h.astype(jnp.bfloat16), *parts),
            {},
            TypeError,
            "'carry' is of dtype bfloat16; expected an array of",
        ),
        ((x, h, parts[0][:1], *parts[1:]), {}, ValueError, r"'weights.input' is of shape \(1, "),
        ((x, h, *parts[:2], parts[2][:2], parts[3]), {}, ValueError, r"'weights.bias' is of shape \(2,\)"),
    )
    if not time:
        return rows
    return (
        *rows,
        (
            (x, h, *parts),
            {"implementation": "fast"},
            ValueError,
            "'implementation' is 'fast'; expected one of",
        ),
        ((x, h, *parts), {"implementation": "cudnn"}, ValueError, "on an NVIDIA GPU"),
        ((x, h, *parts), {"lengths": jnp.array([1])}, ValueError, r"'lengths' is .*shape \(1,\)"),
        ((x, h, *parts), {"lengths": jnp.ones(2)}, ValueError, "'lengths' is of dtype float32"),
        ((x, h, *parts), {"lengths": jnp.array([1, 4])}, ValueError, r"'lengths' is \[1, 4\]; .* \[0, 3\]"),
    )


def using(implementation: Any) -> None:
    with recurrent.using(implementation):
        pass


def conventions(kind: str, options: dict[str, Any]) -> jax.Array:
    x, h, *parts = (jnp.asarray(part) for part in arrays(kind)(np.random.default_rng(0)))
    return called(kind, "_cell", **options)(x, h, *parts)


OPS: tuple[Op, ...] = (
    *(
        Op(f"kernels.recurrent.{kind}_cell", called(kind, "_cell"), arrays(kind), step_by_hand(kind),
           bad(kind), differentiable=(0, 1, 2, 3, 4), extremes=extremes(kind), batched=False, length=WIDE)
        for kind in GATES
    ),
    *(
        Op(f"kernels.recurrent.{kind}", called(kind), arrays(kind, TIME), by_loops(kind), bad(kind, TIME),
           differentiable=(0, 1, 2, 3, 4), extremes=extremes(kind, TIME), batched=False, length=2 * WIDE)
        for kind in GATES
    ),
    Op("kernels.recurrent.lstm:ragged and reversed", called("lstm", lengths=LENGTHS, reverse=True),
       arrays("lstm", TIME), by_loops("lstm", LENGTHS, reverse=True), bad("lstm", TIME),
       differentiable=(0, 1, 2, 3, 4), extremes=extremes("lstm", TIME), batched=False, length=2 * WIDE),
)  # fmt: skip

CALLS: tuple[Call, ...] = (
    (
        "kernels.recurrent.using",
        using,
        tuple(((name,), {}, ValueError, "'implementation' is") for name in ("fast", "", 3)),
    ),
    (
        "kernels.recurrent.rnn_cell",
        conventions,
        (
            (("rnn", {"activation": "elu"}), {}, ValueError, r"'activation' is 'elu'; expected one of"),
            (("gru", {"reset": "never"}), {}, ValueError, "'reset' is 'never'"),
            (("gru", {"update": "both"}), {}, ValueError, "'update' is 'both'"),
            (("lstm", {"coupled": True}), {}, ValueError, r"'weights.input' is of shape \(2, 12\)"),
        ),
    ),
)
