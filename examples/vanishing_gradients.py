"""Why long memories are hard to learn: gradients by distance in time, clipping, and the adding problem.

Run by `python examples/vanishing_gradients.py [--seed 0] [--out out/vanishing_gradients]`; it exits with 1
where one of these does not hold: a gradient that vanishes, stays or explodes as the theory says, an exploding
run that clipping tames, an adding problem that every LSTM and GRU solves and no simple RNN.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxdl
from jaxdl import initializers, losses, optim, train, vanishing
from jaxdl.data import adding
from jaxdl.kernels import recurrent
from jaxdl.models import SequenceClassifier, SequenceClassifierConfig

UNITS, FEATURES, STEPS, EXAMPLES = 32, 8, 100, 32
LENGTH, BATCH, EPOCHS, SEEDS = 60, 50, 12, (0, 1, 2)
SOLVED, CONSTANT = 0.02, 1 / 6
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


def network(kind: str, **options: Any) -> jaxdl.net.Net:
    config = SequenceClassifierConfig(in_features=2, num_classes=1, widths=(UNITS,), cell=kind, **options)
    return jaxdl.net.functional(lambda rngs: SequenceClassifier(config, rngs=rngs))


def problem(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = adding(jax.random.key(seed), count, length=LENGTH)
    return np.asarray(x), np.asarray(y)


def race(seed: int) -> dict[str, train.Sweep]:
    """Train every cell on the adding problem with the same budget, each with all seeds as one program."""
    data, valid = problem(seed, 8000), problem(seed + 1000, 1000)
    steps = EPOCHS * (len(data[0]) // BATCH)
    rate = optim.warmup_cosine(0.01, warmup=steps // 20, total=steps)
    rule = optax.chain(optim.clip_by_global_norm(1.0), optim.adam(rate))
    return {
        kind: train.sweep(network(kind), data, valid=valid, loss=losses.squared_error, optimizer=rule,
                          seeds=SEEDS, epochs=EPOCHS, batch_size=BATCH)
        for kind in GATES
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/vanishing_gradients"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    begin = time.perf_counter()

    norms = by_distance(options.seed)
    show(norms)
    jaxdl.plot.gradients_by_distance(norms, ylabel="norm of the gradient in the state",
                                     path=options.out / "by_distance.png")  # fmt: skip
    print(f"{time.perf_counter() - begin:.0f} s in all; pictures: {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
