"""Why long memories are hard to learn: gradients by distance in time, clipping, and the adding problem.

Reached (seed 0): a recurrence of 0.5 Q, Q orthogonal, leaves 0.498 of a gradient by step, and 1.5 Q makes it
a thousand times as large in 100 steps; runs that diverge within 40 steps go on with clipping; the two numbers
marked in 70 steps are added with a squared error of at most 0.004 by LSTMs and 0.002 by GRUs, and of at least
0.13 by simple RNNs. 86 seconds on two cores, which others used too.

Run by `python examples/vanishing_gradients.py [--effort quick] [--seed 0] [--out out/vanishing_gradients]`;
it exits with 1 where one of these does not hold: a gradient that vanishes, stays or explodes as the theory
says, an exploding run that clipping tames, an adding problem that every LSTM and GRU solves and no simple
RNN.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

import jaxdl
from _effort import add, pick, reached, verdict
from jaxdl import initializers, losses, optim, train, vanishing
from jaxdl.data import adding
from jaxdl.errors import DivergenceWarning
from jaxdl.kernels import recurrent
from jaxdl.layers import RNN, Linear, last_step
from jaxdl.models import SequenceClassifier, SequenceClassifierConfig

UNITS, FEATURES, STEPS, EXAMPLES = 32, 8, 100, 32
BATCH, CLIPPED = 50, (0, 1, 2)
SOLVED, FAILED = 0.02, 0.1  # Who always answers 1 has 1/6.
UNCLIPPED = 1e30


class Plan(NamedTuple):
    """Steps of a sequence, sequences, epochs, seeds and cells of the adding problem."""

    length: int
    training: int
    unseen: int
    epochs: int
    seeds: tuple[int, ...]
    cells: tuple[str, ...]


FULL = Plan(70, 8000, 1000, 6, (0, 1, 2), ("rnn", "gru", "lstm"))
QUICK = Plan(40, 8000, 1000, 4, (0,), ("rnn", "gru", "lstm"))
FEW = Plan(5, 50, 50, 1, (0,), ("gru",))
GATES = {"rnn": 1, "gru": 3, "lstm": 4}
STARTS = {
    "RNN, 0.5 x orthogonal": ("rnn", initializers.orthogonal(gain=0.5), 0.0),
    "RNN, orthogonal": ("rnn", initializers.orthogonal(), 0.0),
    "RNN, 1.5 x orthogonal": ("rnn", initializers.orthogonal(gain=1.5), 0.0),
    "RNN, uniform": ("rnn", initializers.uniform(limit=UNITS**-0.5), 0.0),
    "GRU, orthogonal": ("gru", initializers.orthogonal(), 0.0),
    "LSTM, forget bias 0": ("lstm", initializers.orthogonal(), 0.0),
    "LSTM, forget bias 1": ("lstm", initializers.orthogonal(), 1.0),
}


def cell(key: jax.Array, kind: str, start: Any, forget: float) -> Callable[[jax.Array, Any], Any]:
    """Return one step of a cell with weights drawn by `start`, every gate for itself."""
    inputs, *gates = jax.random.split(key, 1 + GATES[kind])
    weights = recurrent.Weights(
        initializers.xavier()(inputs, (FEATURES, GATES[kind] * UNITS)),
        jnp.concatenate([start(gate, (UNITS, UNITS)) for gate in gates], axis=1),
        jnp.zeros(GATES[kind] * UNITS).at[UNITS : 2 * UNITS].set(forget),
    )
    step = {"rnn": recurrent.rnn_cell, "gru": recurrent.gru_cell, "lstm": recurrent.lstm_cell}[kind]
    return lambda x, carry: step(x, carry, weights)


def by_distance(seed: int) -> dict[str, np.ndarray]:
    """Return the gradient norms (examples, distances) of every cell and initialisation."""
    key, inputs = jax.random.split(jax.random.key(seed))
    # Small, so that tanh is nearly linear.
    x, zero = 0.1 * jax.random.normal(inputs, (EXAMPLES, STEPS, FEATURES)), jnp.zeros((EXAMPLES, UNITS))
    found = {}
    for name, (kind, start, forget) in STARTS.items():
        carry = (zero, zero) if kind == "lstm" else zero
        step = cell(key, kind, start, forget)
        found[name] = np.asarray(jax.jit(partial(vanishing.state_gradient_norms, step))(x, carry))
    return found


def show(norms: dict[str, np.ndarray]) -> None:
    print(f"{'median gradient norm at distance':34}{10:>10}{50:>10}{100:>10}   a step")
    for name, curve in norms.items():
        middle = np.median(curve, axis=0)
        rate = (middle[-1] / middle[0]) ** (1 / STEPS)
        print(f"{name:34}" + "".join(f"{middle[k]:10.1e}" for k in (10, 50, 100)) + f"   x {rate:.3f}")


class Exploding(nnx.Module):
    """A simple RNN whose recurrence lengthens what it turns, with a linear head on its last step."""

    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.layer = RNN(2, UNITS, recurrent_init=initializers.orthogonal(gain=1.5), rngs=rngs)
        self.head = Linear(UNITS, 1, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.head(last_step(self.layer(x)[0]))


def clipping(seed: int, plan: Plan) -> train.Sweep:
    """Train the exploding network with and without clipping, as one program: a step of one batch an epoch."""
    with warnings.catch_warnings():
        # The run without clipping may leave the finite numbers.
        warnings.simplefilter("ignore", DivergenceWarning)
        return train.sweep(
            jaxdl.net.functional(lambda rngs: Exploding(rngs=rngs)), problem(seed, 200, plan.length),
            loss=losses.squared_error, hyper=train.points.grid(max_norm=[UNCLIPPED, 1.0]), seeds=CLIPPED,
            optimizer=lambda hyper: optax.chain(
                optim.clip_by_global_norm(hyper["max_norm"]), optim.sgd(0.1)
            ),
            epochs=100, batch_size=200, progress="off",
            record=lambda step: {"gradient_norm": optim.gradient_norm(step)},
        )  # fmt: skip


def as_theory_says(norms: dict[str, np.ndarray]) -> bool:
    """Near 0 tanh is linear: the recurrence 0.5 Q leaves 0.5^k, Q nearly all, and 1.5 Q explodes."""
    half, one, more, uniform = (np.median(norms[name], axis=0) for name in list(STARTS)[:4])
    lstm = np.median(norms["LSTM, forget bias 1"], axis=0)
    rate = (half[STEPS] / half[0]) ** (1 / STEPS)
    return abs(rate - 0.5) < 0.01 and one[50] > 0.1 and more[STEPS] > 100 and lstm[50] > 1e6 * uniform[50]


def network(kind: str, **options: Any) -> jaxdl.net.Net:
    config = SequenceClassifierConfig(in_features=2, num_classes=1, widths=(UNITS,), cell=kind, **options)
    return jaxdl.net.functional(lambda rngs: SequenceClassifier(config, rngs=rngs))


def problem(seed: int, count: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = adding(jax.random.key(seed), count, length=length)
    return np.asarray(x), np.asarray(y)


def race(seed: int, plan: Plan) -> dict[str, train.Sweep]:
    """Train every cell on the adding problem with the same budget, each with all seeds as one program."""
    data = problem(seed, plan.training, plan.length)
    valid = problem(seed + 1000, plan.unseen, plan.length)
    steps = plan.epochs * (len(data[0]) // BATCH)
    rate = optim.warmup_cosine(0.01, warmup=steps // 20, total=steps)
    rule = optax.chain(optim.clip_by_global_norm(1.0), optim.adam(rate))
    return {
        kind: train.sweep(network(kind), data, valid=valid, loss=losses.squared_error, optimizer=rule,
                          seeds=plan.seeds, epochs=plan.epochs, batch_size=BATCH)
        for kind in plan.cells
    }  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/vanishing_gradients"))
    add(parser)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    begin, plan = time.perf_counter(), pick(options, full=FULL, quick=QUICK, few=FEW)

    norms = by_distance(options.seed)
    show(norms)
    jaxdl.plot.gradients_by_distance(norms, ylabel="norm of the gradient in the state",
                                     path=options.out / "by_distance.png")  # fmt: skip
    right = as_theory_says(norms)

    run = clipping(options.seed, plan)
    names, first = ("without clipping", "clipped to 1"), len(CLIPPED)
    curves = {
        title: {name: run.history[curve][first * row] for row, name in enumerate(names)}
        for title, curve in (("loss", "loss"), ("gradient norm", "gradient_norm"))
    }
    ends = np.median(run.history["loss"][:, -20:], axis=1)
    print("\na simple RNN, 1.5 x orthogonal, on the adding problem by SGD, by seed:")
    for row, name in enumerate(names):
        told = [f"diverged at step {run.errors[i].step}" if i in run.errors else f"loss {ends[i]:.2f}"
                for i in range(first * row, first * (row + 1))]  # fmt: skip
        largest = np.nanmax(run.history["gradient_norm"][first * row : first * (row + 1)])
        print(f"{name}: {', '.join(told)}; gradient norms up to {largest:.1e}")
    jaxdl.plot.comparison(curves, xlabel="step", ylabel="", log=True, path=options.out / "clipping.png")
    right &= not (ends[:first] < 1).any() and bool((ends[first:] < 0.3).all())

    found = race(options.seed, plan)
    print(f"\nthe adding problem of {plan.length} steps, squared error on {plan.unseen:,} unseen sequences "
          "by seed (always answering 1: 0.167):")  # fmt: skip
    for kind, sweep in found.items():
        print(f"{kind.upper():5}" + "".join(f"{loss:10.4f}" for loss in sweep.final("valid_loss")))
    jaxdl.plot.comparison(
        {kind.upper(): {f"seed {seed}": curve for seed, curve in zip(plan.seeds, sweep.history["valid_loss"])}
         for kind, sweep in found.items()}, ylabel="squared error", log=True, path=options.out / "adding.png",
    )  # fmt: skip
    for kind, sweep in found.items():
        losses_of = sweep.final("valid_loss")
        right &= bool((losses_of > FAILED).all() if kind == "rnn" else (losses_of < SOLVED).all())
    print(f"{time.perf_counter() - begin:.0f} s in all; pictures: {options.out}")
    worst = ", ".join(
        f"{sweep.final('valid_loss').max():.3f} by {kind.upper()}" for kind, sweep in found.items()
    )
    reached(f"squared error of the adding problem of {plan.length} steps at most {worst}")
    return verdict(options, right)


if __name__ == "__main__":
    sys.exit(main())
