"""Transfer learning: a LeNet-5 that knows the digits 0 to 4 learns 5 to 9 from ten examples of each.

Seen on MNIST, one draw of fifty examples and two seeds, on 964 held-out digits: 89.2 % where the
convolutions stay frozen and the dense layers are drawn anew, 86.6 % where everything is trained further,
85.3 % from nothing, and 71.9 % by the last layer alone, whose inputs tell 0 to 4 apart and little else; over
two draws 88.7 % with frozen convolutions and 83.9 % from nothing. Some four minutes of processor time.

Run by `python examples/transfer.py [--effort quick] [--seeds 2] [--draws 1] [--out out/transfer]`, on MNIST
where `JAXDL_DATA` names its folder (8,000 of the test images to draw from, 2,000 held out), else on the 8x8
digits of scikit-learn, enlarged. Each way has its learning rate chosen on validation examples; the table is
of held-out ones. It exits with 1 where the better way of transfer does not win, or where a frozen part
changes.
"""

import argparse
import itertools
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

import jaxdl
from _effort import add, pick, reached, verdict
from jaxdl import losses, metrics, optim, scaling, train
from jaxdl.data import Dataset, load_digits, load_mnist, split
from jaxdl.models import LeNet5

HEAD, DENSE = "layers/11", ("layers/7", "layers/9", "layers/11")
NET = jaxdl.net.functional(lambda rngs: LeNet5.modern(num_classes=5, rngs=rngs))
ALL_BUT_HEAD = optim.frozen(lambda path: not path.startswith(HEAD))
CONVOLUTIONS = optim.frozen(["layers/0", "layers/3"])
BATCH, SHOTS = 25, 10
METRICS = {"accuracy": metrics.accuracy}
Sets = tuple[Dataset, Dataset]


class Plan(NamedTuple):
    """Epochs of the source and of what follows, learning rates, validation examples, ways and seeds."""

    source: int
    epochs: int
    rates: tuple[float, ...]
    valid: int
    ways: slice
    seeds: int


FULL = Plan(8, 60, (0.001, 0.003, 0.01), 300, slice(None), 2)
QUICK = Plan(3, 30, (0.003, 0.01), 100, slice(None), 1)
FEW = Plan(1, 1, (0.01,), 20, slice(1, None, 2), 1)


def adam(hyper: Any) -> Any:
    return optim.adam(hyper["learning_rate"])


def load(seed: int) -> tuple[Dataset, Dataset, int]:
    """Return examples to learn from, held-out ones, and the value of a pixel of ink."""
    if "JAXDL_DATA" in os.environ:
        digits = load_mnist("test")
        return digits.take(range(8000)), digits.take(range(8000, 10000)), 255
    small = load_digits()
    shape = (len(small), 28, 28, 1)
    large = np.asarray(jax.image.resize(small.inputs.reshape(-1, 8, 8, 1), shape, "linear"))
    return *split(Dataset(large, small.targets, small.classes), (2 / 3, 1 / 3), seed=seed), 16


def half(digits: Dataset, first: int) -> Dataset:
    """Return the examples of five digits, numbered from 0."""
    chosen = np.flatnonzero((digits.targets >= first) & (digits.targets < first + 5))
    names = tuple(str(first + k) for k in range(5))
    return Dataset(digits.inputs[chosen], digits.targets[chosen] - first, names)


def draw(digits: Dataset, seed: int, valid: int) -> Sets:
    """Return ten examples of each class, and others to choose the learning rate by."""
    order = np.random.default_rng(seed).permutation(len(digits))
    few = np.concatenate([order[digits.targets[order] == k][:SHOTS] for k in range(5)])
    rest = order[~np.isin(order, few)][:valid]
    return digits.take(few), digits.take(rest)


def learn(digits: Dataset, pixels: scaling.Scaling, epochs: int) -> train.Fitted:
    training, valid = split(digits, (0.9, 0.1), seed=0)
    return train.fit(NET, training, valid=valid, loss=losses.softmax_cross_entropy, optimizer=adam,
                     hyper={"learning_rate": 0.002}, metrics=METRICS, scaling=pixels, epochs=epochs,
                     batch_size=32, progress="lines")  # fmt: skip


def runs(net: jaxdl.net.Net, sets: Sets, pixels: scaling.Scaling, plan: Plan, **options: Any) -> train.Sweep:
    """Train every learning rate with every seed, as one program."""
    points = train.points.grid(learning_rate=plan.rates)
    return train.sweep(net, sets[0], valid=sets[1], loss=losses.softmax_cross_entropy, optimizer=adam,
                       hyper=points, seeds=range(plan.seeds), metrics=METRICS, scaling=pixels,
                       epochs=plan.epochs,
                       batch_size=BATCH, progress="off", **options)  # fmt: skip


def chosen(found: train.Sweep) -> tuple[float, np.ndarray]:
    """Return the learning rate of the highest mean validation accuracy, and its members."""
    rates, accuracies = np.asarray(found.hyper["learning_rate"]), found.final("valid_accuracy")
    means = {rate: accuracies[rates == rate].mean() for rate in np.unique(rates)}
    best = max(means, key=lambda rate: means[rate])
    return float(best), np.flatnonzero(rates == best)


def kept(found: train.Sweep, start: Any, frozen: optim.Frozen) -> bool:
    """Tell whether every member has every bit of what was frozen."""
    pairs = zip(jax.tree.leaves(frozen.mask(start)), jax.tree.leaves(found.params), jax.tree.leaves(start))
    return all((np.asarray(after) == np.asarray(before)[None]).all() for hold, after, before in pairs if hold)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--draws", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("out/transfer"))
    add(parser)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    plan = pick(options, full=FULL, quick=QUICK, few=FEW)
    plan = plan._replace(seeds=options.seeds or plan.seeds)
    learning, held, highest = load(seed=0)
    learning = learning.take(range(pick(options, full=len(learning), few=400)))
    pixels = scaling.pixels(highest=highest)

    source = learn(half(learning, 0), pixels, plan.source)
    old = half(held, 0)
    known = float((source.predict(old.inputs).argmax(1) == old.targets).mean())
    print(f"0 to 4: {100 * known:.2f} % of {len(old):,} held-out digits\n")
    loaded = train.load(train.save(options.out / "source.safetensors", source))
    last, dense = (jaxdl.net.start_from(NET, loaded.params, loaded.state, new=new) for new in (HEAD, DENSE))
    ways: dict[str, tuple[jaxdl.net.Net, dict[str, Any]]] = {
        "last layer alone": (last, {"frozen": ALL_BUT_HEAD}),
        "dense layers alone": (dense, {"frozen": CONVOLUTIONS}),
        "everything": (last, {}),
        "from nothing": (NET, {}),
    }
    ways = dict(list(ways.items())[plan.ways])
    pool, test = half(learning, 5), half(held, 5)
    accuracies: dict[str, list[float]] = {way: [] for way in ways}
    curves: dict[str, list[np.ndarray]] = {way: [] for way in ways}
    for number, (way, (net, extra)) in itertools.product(range(options.draws), ways.items()):
        found = runs(net, draw(pool, number, plan.valid), pixels, plan, **extra)
        if extra and not kept(found, loaded.params, extra["frozen"]):
            print("a frozen part has changed")
            return verdict(options, False)
        rate, members = chosen(found)
        curves[way] += [found.history["valid_accuracy"][member] for member in members]
        scores = [found.member(int(member)).predict(test.inputs) for member in members]
        accuracies[way] += [float((score.argmax(1) == test.targets).mean()) for score in scores]
        mean = 100 * float(np.mean(accuracies[way][-len(members) :]))
        print(f"draw {number}, {way}: {mean:.1f} % at learning rate {rate:g}", flush=True)

    print(f"\n5 to 9 from {SHOTS} examples a class: {len(test):,} held-out digits, "
          f"{options.draws} draws of {plan.seeds} seeds")  # fmt: skip
    for way, values in accuracies.items():
        low, mean, high = (100 * float(f(values)) for f in (np.min, np.mean, np.max))
        spread = 100 * float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        print(f"{way:20}{mean:6.1f} +- {spread:.1f} %, from {low:.1f} to {high:.1f}")
    picture = options.out / "transfer.png"
    jaxdl.plot.spread(np.arange(1, plan.epochs + 1), curves, xlabel="epoch",
                      ylabel="accuracy on validation digits 5 to 9", path=picture)  # fmt: skip
    print(f"validation accuracy by epoch: {picture}")
    scratch = np.asarray(accuracies.pop("from nothing"))
    best = max(accuracies, key=lambda way: float(np.mean(accuracies[way])))
    gains = np.asarray(accuracies[best]) - scratch
    wins = int((gains > 0).sum())
    print(f"{best}: {100 * gains.mean():+.1f} points, better in {wins} of {len(gains)} runs")
    reached(f"{100 * np.mean(accuracies[best]):.1f} % with {best} trained, {100 * scratch.mean():.1f} % from "
            f"nothing, of {SHOTS} examples a class")  # fmt: skip
    return verdict(options, bool(gains.mean() > 0 and wins > len(gains) / 2))


if __name__ == "__main__":
    sys.exit(main())
