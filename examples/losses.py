"""What a loss and a penalty do: why classifiers take cross-entropy, outliers, exact zeros, rare classes.

Reached (seed 0): logistic regression on breast cancer that starts confident and wrong has 96.3 % right
after 30 steps on cross-entropy, 7.0 % on the squared cost, which is flat there. With 10 of 100 points far
off the Huber loss finds 2.00 x + 1.11 where 2 x + 1 was planted, the squared error 1.80 x + 3.15. Proximal
steps leave as many zeros as scikit-learn's Lasso (2, 4, 6, 8 of 10) where subgradients leave none. A weight
of 19 finds 84 % of a class of one in twenty, no weight 34 %. All that took 13 seconds of processor time on
2 cores.

Run by `python examples/losses.py [--effort quick] [--seed 0] [--out out/losses]`.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import Lasso

from _effort import add, pick, reached, verdict
from jaxdl import activations, losses, optim, plot, train
from jaxdl.net import Net, from_pair

KEYS = jax.random.key(0), jax.random.key(1)


def line(start: jax.Array) -> Net:
    """Return the linear model x w + b that starts at given weights, the last of them b."""
    return from_pair(
        lambda key: {"kernel": start[:-1], "bias": start[-1]},
        lambda params, x: x @ params["kernel"] + params["bias"],
    )


def descend(start: jax.Array, loss: Callable, rule: Callable, x: np.ndarray, y: np.ndarray, steps: int,
            **options: Callable) -> Callable[[dict], train.Result]:  # fmt: skip
    """Return full-batch descent from `start` as a function of the hyperparameters."""
    spec = train.Spec(epochs=steps, batch_size=len(x), shuffle="none")
    run = train.make_train(line(start), loss, rule, spec, **options)
    return lambda hyper: run(*KEYS, train.Arrays(jnp.asarray(x), jnp.asarray(y)), hyper)


def squared_of_sigmoid(logits: jax.Array, labels: jax.Array) -> jax.Array:
    return losses.squared_error(activations.sigmoid(logits), labels.astype(logits.dtype))


def pictures(out: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = jnp.asarray(rng.normal(size=40) * 1.5, jnp.float32)
    y = jnp.asarray(np.asarray(x) + rng.normal(size=40) > 0.5)
    plot.cost_surfaces(
        {
            "squared cost": lambda p: losses.reduce(squared_of_sigmoid(p[0] * x + p[1], y)),
            "cross-entropy": lambda p: losses.reduce(losses.binary_cross_entropy(p[0] * x + p[1], y)),
        },
        path=out / "cost_surfaces.png",
    )
    plot.functions(
        {"-log a, for y = 1": lambda a: -jnp.log(a), "-log(1 - a), for y = 0": lambda a: -jnp.log(1 - a)},
        bounds=(0.003, 0.997), together=True, derivative=False, label="a", path=out / "minus_log.png",
    )  # fmt: skip
    zero = jnp.zeros(1)
    plot.functions(
        {
            "squared error / 2": lambda r: losses.squared_error(r[None], zero, factor=0.5)[0],
            "huber, delta 1": lambda r: losses.huber(r[None], zero)[0],
            "smooth_l1, beta 0.25": lambda r: losses.smooth_l1(r[None], zero, beta=0.25)[0],
        },
        bounds=(-3, 3), label="residual", path=out / "regression_losses.png",
    )  # fmt: skip


def saturated(steps: int) -> bool:
    """Start logistic regression at confident, wrong weights: only cross-entropy comes back."""
    data = load_breast_cancer()
    x = ((data.data - data.data.mean(0)) / data.data.std(0)).astype(np.float32)
    start = 12 * jnp.append(jnp.asarray(x.T @ (0.5 - data.target) / len(x), jnp.float32), 0.0)
    rights = {}
    for name, loss in (("squared", squared_of_sigmoid), ("cross-entropy", losses.binary_cross_entropy)):
        run = jax.jit(descend(start, loss, optim.sgd(0.5), x, data.target, steps))
        params = run({}).params
        right = (np.asarray(x @ params["kernel"] + params["bias"]) > 0) == data.target
        rights[name] = float(right.mean())
        print(f"  {name:14s} {100 * rights[name]:5.1f} % right after {steps} steps")
    reached(", ".join(f"{100 * right:.1f} % right by {name}" for name, right in rights.items()))
    return rights["cross-entropy"] > 0.9 > rights["squared"]


def outliers(seed: int, steps: int) -> bool:
    """Fit the line 2 x + 1 with a tenth of the targets far off."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (100, 1)).astype(np.float32)
    y = 2 * x[:, 0] + 1 + rng.normal(size=100) * 0.1
    y[:10] += 20 * np.abs(x[:10, 0]) + 10
    off = {}
    for name, loss in (("squared_error", losses.squared_error), ("huber", losses.huber)):
        run = jax.jit(descend(jnp.zeros(2), loss, optim.sgd(0.3), x, y.astype(np.float32), steps))
        params = run({}).params
        off[name] = max(abs(float(params["kernel"][0]) - 2), abs(float(params["bias"]) - 1))
        print(f"  {name:14s} slope {float(params['kernel'][0]):.2f}, intercept {float(params['bias']):.2f}")
    return off["huber"] < 0.3 < off["squared_error"]


def sparse(steps: int) -> bool:
    """Sweep the L1 strength on the diabetes set in one program, by proximal steps and by subgradients."""
    data = load_diabetes()
    x = (data.data / data.data.std(0)).astype(np.float32)
    y = (data.target / data.target.std()).astype(np.float32)
    m, rate, strengths = len(x), 0.15, np.array([0.0, 4.0, 20.0, 60.0, 150.0], np.float32)

    def half(outputs: jax.Array, targets: jax.Array) -> jax.Array:
        return losses.squared_error(outputs, targets, factor=0.5)

    proximal = descend(
        jnp.zeros(11), half,
        lambda hyper: optax.chain(optim.sgd(rate), losses.proximal_l1(rate * hyper["l1"] / m)), x, y, steps,
    )  # fmt: skip
    plain = descend(
        jnp.zeros(11), half, optim.sgd(rate), x, y, steps,
        penalty=lambda params, hyper: losses.l1_penalty(params, hyper["l1"], form="mean", examples=m),
    )  # fmt: skip
    found = [
        np.asarray(jax.jit(jax.vmap(run))({"l1": jnp.asarray(strengths)}).params["kernel"])
        for run in (proximal, plain)
    ]
    print("  lambda   zeros by proximal steps, by subgradients, in scikit-learn's Lasso")
    equal = True
    for i, strength in enumerate(strengths[1:], 1):
        lasso = Lasso(alpha=strength / m, tol=1e-8, max_iter=20000).fit(x.astype(np.float64), y).coef_
        zeros = [int((w == 0).sum()) for w in (found[0][i], found[1][i], lasso)]
        print(f"  {strength:6.0f} {zeros[0]:16d} {zeros[1]:20d} {zeros[2]:20d}")
        equal &= zeros[0] == zeros[2] and bool(np.allclose(found[0][i], lasso, atol=1e-4)) and zeros[1] == 0
    return equal


def rare(seed: int, steps: int) -> bool:
    """Find a class of one in twenty, with and without weighing it up."""
    rng = np.random.default_rng(seed)
    y = (rng.random(2000) < 0.05).astype(np.int32)
    x = (rng.normal(size=(2000, 2)) + 1.5 * y[:, None]).astype(np.float32)
    recalls = []
    for weight in (1.0, 19.0):

        def loss(logits: jax.Array, labels: jax.Array, weight: float = weight) -> jax.Array:
            return losses.binary_cross_entropy(logits, labels, positive_weight=weight)

        params = jax.jit(descend(jnp.zeros(3), loss, optim.adam(0.1), x, y, steps))({}).params
        chosen = np.asarray(x @ params["kernel"] + params["bias"]) > 0
        recalls.append(float(chosen[y == 1].mean()))
        print(f"  weight {weight:4.0f}: finds {100 * recalls[-1]:.0f} % of the rare class, "
              f"and takes {100 * chosen[y == 0].mean():.0f} % of the other for it")  # fmt: skip
    return recalls[1] > recalls[0] + 0.3


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/losses"))
    add(parser)
    options = parser.parse_args(arguments)
    begin = time.perf_counter()
    pictures(options.out, options.seed)
    kept = []
    for title, shown, steps in (
        ("Logistic regression on breast cancer, started confident and wrong", saturated, 30),
        ("A line through 100 points, of which 10 lie far off", partial(outliers, options.seed), 500),
        ("L1 on the diabetes set, 10 features", sparse, 4000),
        ("A rare class", partial(rare, options.seed), 300),
    ):
        print(title)
        kept.append(shown(pick(options, full=steps, few=2)))
        print("" if kept[-1] else "  THIS DOES NOT HOLD")
    print(f"pictures: {options.out}, {time.perf_counter() - begin:.0f} s")
    return verdict(options, all(kept))


if __name__ == "__main__":
    sys.exit(main())
