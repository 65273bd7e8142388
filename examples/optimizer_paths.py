"""Paths of optimizers over costs of two weights: a valley, its zig-zag and gradient field, a local minimum.

Reached by 30 steps over f = x^2/20 + y^2 from (-7, 2): SGD (0.95) ends at (-0.35, 0.08), heavy-ball
momentum (0.1) at (0.90, 0.09), its average form at (-5.59, -0.35), AdaGrad (1.5) at (-0.12, 0.00), Adam (0.3)
at (0.14, 0.32); Keras's forms of momentum and of Adam end where these do. SGD crosses the valley in each of
30 steps. Over a cost of two wells SGD stops in the upper one, at a cost of -0.11, and momentum leaves it for
-0.41. About 6 seconds of processor time on 2 cores.

Run by `python examples/optimizer_paths.py [--effort quick] [--out out/optimizer_paths]`.
"""

import argparse
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import jaxdl
from _effort import add, reached, verdict
from jaxdl import optim

START, STEPS = jnp.array([-7.0, 2.0]), 30
RULES = {
    "SGD, lr 0.95": optim.sgd(0.95),
    "Momentum 0.9, lr 0.1": optim.momentum(0.1),
    "AdaGrad, lr 1.5": optim.adagrad(1.5),
    "Adam, lr 0.3": optim.adam(0.3),
}
ENDS = {"SGD": (-0.35, 0.08), "Momentum": (0.90, 0.09), "AdaGrad": (-0.12, 0.0), "Adam": (0.14, 0.32)}
FORMS = {
    "Average form of momentum, lr 0.1": (optim.momentum(0.1, form="average"), (-5.59, -0.35)),
    "Velocity form of momentum, lr 0.1": (optim.momentum(0.1, form="velocity"), ENDS["Momentum"]),
    "Adam, the rate scaled, lr 0.3": (optim.adam(0.3, form="scaled_rate"), ENDS["Adam"]),
}
VALLEY = {"xlim": (-10.0, 10.0), "ylim": (-5.0, 5.0)}
WELLS = {"xlim": (-2.2, 2.2), "ylim": (-1.6, 1.6)}


def valley(w: jax.Array) -> jax.Array:
    """Return f = x^2/20 + y^2: twenty times steeper across than along."""
    return w[0] ** 2 / 20 + w[1] ** 2


def wells(w: jax.Array) -> jax.Array:
    """Return a cost of two wells: the left one, near x = -1.1, is the lower one."""
    return w[0] ** 4 / 4 - w[0] ** 2 / 2 + 0.15 * w[0] + w[1] ** 2 / 2


def classic(out: Path) -> bool:
    """Draw the four paths; tell whether each ends where it should."""
    walks = {name: optim.trajectory(valley, START, rule, steps=STEPS) for name, rule in RULES.items()}
    jaxdl.plot.paths(valley, walks, minimum=(0, 0), path=out / "paths.png", **VALLEY)
    for name, (rule, _) in FORMS.items():
        walks[name] = optim.trajectory(valley, START, rule, steps=STEPS)
    found = {name: np.asarray(walk[-1]) for name, walk in walks.items()}
    for name, end in found.items():
        print(f"{name:<34} ends at ({end[0]:5.2f}, {end[1]:5.2f})")
    wanted = [*ENDS.values(), *(end for _, end in FORMS.values())]
    ends = {name: found[long] for name, long in zip(ENDS, RULES)}
    reached("30 steps end at " + ", ".join(f"({x:.2f}, {y:.2f}) by {name}" for name, (x, y) in ends.items()))
    return all(np.allclose(end, w, atol=0.006) for end, w in zip(found.values(), wanted, strict=True))


def zigzag(out: Path) -> bool:
    """Draw what the rate does in a valley; tell whether SGD crosses it at every step, momentum less often."""
    rules = {
        "lr 0.95: zig-zag": optim.sgd(0.95),
        "lr 0.2: crawls along the valley": optim.sgd(0.2),
        "lr 1.01: leaves the valley": optim.sgd(1.01),
        "Nesterov 0.9, lr 0.1": optim.nesterov(0.1),
    }
    walks = {name: optim.trajectory(valley, START, rule, steps=STEPS) for name, rule in rules.items()}
    jaxdl.plot.paths(valley, walks, minimum=(0, 0), path=out / "zigzag.png", **VALLEY)
    jaxdl.plot.gradient_field(valley, path=out / "gradient_field.png", **VALLEY)
    crossings = [int(np.sum(np.diff(np.sign(np.asarray(walk[:, 1]))) != 0)) for walk in walks.values()]
    print("crossings of the valley in 30 steps: " + ", ".join(map(str, crossings)))
    costs = [float(valley(walk[-1])) for walk in walks.values()]
    return (
        crossings[0] == STEPS > crossings[3] > crossings[1] == 0
        and costs[2] > float(valley(START)) > costs[0]
    )


def local_minimum(out: Path) -> bool:
    """Draw SGD and momentum over two wells; tell whether momentum alone reaches the lower one."""
    rules = {"SGD, lr 0.05: stays": optim.sgd(0.05), "Momentum 0.9, lr 0.05: leaves": optim.momentum(0.05)}
    start = jnp.array([2.0, 1.2])
    walks = {name: optim.trajectory(wells, start, rule, steps=300) for name, rule in rules.items()}
    jaxdl.plot.paths(wells, walks, path=out / "local_minimum.png", **WELLS)
    ends = [np.asarray(walk[-1]) for walk in walks.values()]
    for name, end in zip(walks, ends):
        slope = float(optim.gradient_norm(jax.grad(wells)(jnp.asarray(end))))
        print(f"{name:<34} cost {float(wells(end)):6.3f} at x = {end[0]:5.2f}, gradient norm {slope:.0e}")
    return bool(ends[0][0] > 0.5 and ends[1][0] < -0.5 and wells(ends[1]) < wells(ends[0]) - 0.2)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/optimizer_paths"))
    add(parser)
    options = parser.parse_args(arguments)
    out = options.out
    claims = {show.__name__: show(out) for show in (classic, zigzag, local_minimum)}
    print(f"pictures: {out}")
    for name, holds in claims.items():
        if not holds:
            print(f"{name}: what this example claims does not hold")
    return verdict(options, all(claims.values()))


if __name__ == "__main__":
    sys.exit(main())
