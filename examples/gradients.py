"""Gradients from every side: a graph, difference quotients, layer by layer, down a slope, by the clock.

Prints the graph of a sigmoid neuron with the derivative at every node; those at the inputs equal `jax.grad`
to the last bit. Compares `jax.grad` of an MLP with difference quotients (relative error below 1e-6 in
float64), with the layer-error recursion and with the mean over examples (below 1e-6 in float32).

Gradient descent on a parabola: 20 steps come 0.66 near the minimum with a rate too small, 0 with the right
one, and 10 away with one too large. A numerical gradient took 1 to 2 times as long as the automatic one
for 17 parameters, and 6,600 to 13,000 times for 11,203; a compiled dot product of a million numbers was 90 to
350 times as fast as a Python loop. 50 seconds on 2 busy cores, 22 of processor time.

Run by `python examples/gradients.py [--effort quick] [--largest 800] [--out out/gradients]`.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from _effort import add, pick, reached, verdict
from jaxdl import activations, backprop, gradcheck, graph, losses, plot

RATES = {"too small": 0.02, "right": 0.3, "too large": 1.05}
STEPS = 20
WIDTHS = (1, 8, 80, 800)
Parameters = list[tuple[jax.Array, jax.Array]]


def neuron(w: jax.Array, b: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
    """Return the cost of one sigmoid neuron: ``(sigmoid(w x + b) - y)^2``."""
    return jnp.square(activations.sigmoid(w * x + b) - y)


def parabola(w: Any) -> Any:
    return (w - 1) ** 2


def outputs(params: Parameters, x: jax.Array) -> jax.Array:
    for w, b in params[:-1]:
        x = activations.sigmoid(x @ w + b)
    return x @ params[-1][0] + params[-1][1]


def cost(params: Parameters, x: jax.Array, y: jax.Array) -> jax.Array:
    return losses.reduce(losses.softmax_cross_entropy(outputs(params, x), y))


def drawn(*sizes: int) -> Parameters:
    keys = jax.random.split(jax.random.key(0), len(sizes))
    shapes = zip(keys, sizes, sizes[1:])
    return [(jax.random.normal(key, (m, n)) / m**0.5, jnp.zeros(n)) for key, m, n in shapes]


def batch(size: int = 32, inputs: int = 10, classes: int = 3) -> tuple[jax.Array, jax.Array]:
    return jax.random.normal(jax.random.key(1), (size, inputs)), jnp.arange(size) % classes


def distance(a: Any, b: Any) -> float:
    """Return the largest difference between two gradients, relative to the largest entry."""
    a, b = ravel_pytree(a)[0], ravel_pytree(b)[0]
    return float(jnp.max(jnp.abs(a - b)) / jnp.max(jnp.abs(b)))


def seconds(run: Callable[[], Any], repeats: int) -> float:
    """Return the median time of a call that was made once before."""
    jax.block_until_ready(run())
    taken = []
    for _ in range(repeats):
        begin = time.perf_counter()
        jax.block_until_ready(run())
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def show_graph(out: Path) -> bool:
    arguments = (0.5, -1.0, 2.0, 1.0)
    shown = graph.show(neuron, *arguments)
    print(f"The graph of one neuron, (sigmoid(w x + b) - y)^2:\n\n{shown}\n")
    plot.graph(shown, path=out / "graph.png")
    wanted = jax.grad(neuron, (0, 1, 2, 3))(*arguments)
    return all(float(shown[name].derivative) == float(g) for name, g in zip("wbxy", wanted))


def compare_four_ways(*sizes: int) -> bool:
    params, (x, y) = drawn(*sizes), batch()
    automatic = jax.grad(cost)(params, x, y)
    report = gradcheck.check(cost, params, x, y)
    passed = backprop.backpropagation(params, x, y, loss=losses.softmax_cross_entropy)
    single = jax.vmap(jax.grad(cost), in_axes=(None, 0, 0))(params, x[:, None], y[:, None])
    mean = jax.tree.map(lambda g: jnp.mean(g, axis=0), single)
    print(f"MLP {'-'.join(map(str, sizes))}: {report}")
    by_layer, by_example = distance(passed.gradients, automatic), distance(mean, automatic)
    print(f"layer-error recursion against jax.grad: {by_layer:.1e} relative")
    print(
        f"mean of the gradients of {len(x)} examples against that of the batch: {by_example:.1e} relative\n"
    )
    return report.passed and by_layer < 1e-5 and by_example < 1e-5


def descend(out: Path) -> bool:
    def step(w: jax.Array, rate: jax.Array) -> tuple[jax.Array, jax.Array]:
        return w - rate * jax.grad(parabola)(w), w

    def path(rate: jax.Array) -> jax.Array:
        last, before = jax.lax.scan(step, jnp.float32(-0.5), jnp.full(STEPS, rate))
        return jnp.append(before, last)

    # The three rates are one program.
    paths = jax.jit(jax.vmap(path))(jnp.array(list(RATES.values())))
    titles = [f"{name}, rate {rate}" for name, rate in RATES.items()]
    plot.descent(parabola, dict(zip(titles, paths)), span=(-2.5, 4.5), path=out / "descent.png")
    print(f"(w - 1)^2 from w = -0.5, {STEPS} steps, each multiplies the distance to 1 by 1 - 2 rate:")
    for title, values in zip(titles, paths):
        print(f"  {title}: distance {abs(float(values[-1]) - 1):.2g}")
    small, right, large = (abs(float(values[-1]) - 1) for values in paths)
    print()
    return right < 1e-3 < small < 1.5 < large


def time_gradients(out: Path, largest: int) -> bool:
    x, y = batch()
    rows, agree = [], True
    print("parameters   automatic   numerical   ratio   compiled in (automatic, numerical)   difference")
    for width in (w for w in WIDTHS if w <= largest):
        flat, unravel = ravel_pytree(drawn(10, width, 3))

        def of_flat(w: jax.Array, unravel: Any = unravel) -> jax.Array:
            return cost(unravel(w), x, y)

        runs, compiled = [], []
        for make in (jax.grad(of_flat), lambda w, f=of_flat: gradcheck.numerical_gradient(f, w)):
            begin = time.perf_counter()
            runs.append(jax.jit(make).lower(flat).compile())
            compiled.append(time.perf_counter() - begin)
        automatic, numerical = (
            seconds(lambda run=run, w=flat: run(w), repeats) for run, repeats in zip(runs, (20, 3))
        )
        rows.append((flat.size, automatic, numerical))
        apart = distance(runs[1](flat), runs[0](flat))
        agree &= apart < 1e-2  # the differences are taken in float32, with errors of about 1e-4
        print(f"{flat.size:10,}{1e6 * automatic:9.0f} us{1e6 * numerical:9.0f} us{numerical / automatic:8.0f}"
              f"{compiled[0]:17.2f} s,{compiled[1]:5.2f} s{apart:24.1e}")  # fmt: skip
    print()
    sizes, automatic_all, numerical_all = zip(*rows)
    curves = {"automatic (jax.grad)": automatic_all, "numerical (central differences)": numerical_all}
    plot.times(sizes, curves, path=out / "times.png")
    times = numerical_all[-1] / automatic_all[-1]
    reached(f"automatic {times:,.0f} times as fast as numerical for {sizes[-1]:,} parameters")
    return agree and times > 1


def time_dot(length: int) -> bool:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, length)).astype(np.float32)
    ja, jb = jnp.asarray(a), jnp.asarray(b)
    la, lb = a.tolist(), b.tolist()

    def loop() -> float:
        total = 0.0
        for left, right in zip(la, lb):
            total += left * right
        return total

    compiled = jax.jit(jnp.dot)
    scan = jax.jit(lambda a, b: jax.lax.fori_loop(0, a.size, lambda i, s: s + a[i] * b[i], jnp.float32(0)))
    ways = {
        "Python loop": loop,
        "loop inside jit": lambda: scan(ja, jb),
        "NumPy dot": lambda: a @ b,
        "jit dot": lambda: compiled(ja, jb),
    }
    print(f"a product of {length:,} numbers with as many, summed:")
    taken = {name: seconds(run, 5) for name, run in ways.items()}
    for name, value in taken.items():
        print(f"  {name:16}{1e6 * value:10.0f} us {taken['Python loop'] / value:8.0f} times as fast")
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    right = all(abs(float(run()) - loop()) < 1e-4 * scale for run in ways.values())
    return right and taken["jit dot"] < taken["Python loop"]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, help="hidden units of the widest network")
    parser.add_argument("--length", type=int, help="of the vectors of the dot product")
    parser.add_argument("--out", type=Path, default=Path("out/gradients"))
    add(parser)
    options = parser.parse_args(arguments)
    largest = pick(options, full=WIDTHS[-1], few=WIDTHS[0], given=options.largest)
    length = pick(options, full=1_000_000, few=1000, given=options.length)
    claims = {
        "the graph has the derivatives of jax.grad": show_graph(options.out),
        "differences, recursion and examples agree with jax.grad": compare_four_ways(
            *pick(options, full=(10, 6, 5, 3), few=(10, 3))
        ),
        "the rates are too small, right and too large": descend(options.out),
        "automatic gradients agree and cost less": time_gradients(options.out, largest),
        "a compiled dot beats a loop": time_dot(length),
    }
    print(f"\npictures: {options.out}/graph.png, descent.png, times.png")
    for claim, holds in claims.items():
        print(f"{'holds' if holds else 'FAILS'}: {claim}")
    return verdict(options, all(claims.values()))


if __name__ == "__main__":
    sys.exit(main())
