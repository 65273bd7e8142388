"""Gates: one unit is AND, NAND or OR, set or learnt; XOR takes two layers, set or learnt.

The perceptron rule learns the three gates in 6 to 9 epochs and never XOR; two layers of set gates are XOR,
and a network of 2-8-2 units learns it.

Run by `python examples/gates.py [--effort quick] [--out out/gates]`; it takes 6 seconds on 2 cores.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

import jaxdl
from _effort import add, pick, reached, verdict
from jaxdl import descent, losses, optim, plot, train
from jaxdl.data import Dataset
from jaxdl.models import MLP, MLPConfig, perceptron
from jaxdl.plot import _figure

INPUTS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
TABLES = {"AND": [0, 0, 0, 1], "NAND": [1, 1, 1, 0], "OR": [0, 1, 1, 1], "XOR": [0, 1, 1, 0]}
CONFIG = MLPConfig(sizes=(2, 8, 2))


def learn_xor(epochs: int) -> train.Fitted:
    net = jaxdl.net.functional(lambda rngs: MLP(CONFIG, rngs=rngs))
    return train.fit(
        net,
        Dataset(INPUTS, np.array(TABLES["XOR"], np.int32), ("0", "1")),
        loss=losses.softmax_cross_entropy,
        optimizer=lambda hyper: optim.adam(0.05),
        epochs=epochs,
        batch_size=4,
        seed=0,
        progress="off",
    )


def draw(path: Path, panels: list[tuple[str, object, list[int]]]) -> None:
    figure = _figure.figure(3, rows=2, panel_size=(4.2, 3.8))
    axes = list(figure.axes)
    for place, (title, model, targets) in zip(axes, panels):
        plot.boundary(model, INPUTS, np.array(targets), title=title, classes=("0", "1"), axes=place)
    for place in axes[len(panels) :]:
        place.set_axis_off()
    _figure.save(figure, path)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/gates"))
    add(parser)
    options = parser.parse_args(arguments)
    right, panels = True, []
    print("gate   x1 x2 -> target  set  learnt  (epochs, how the learning ended)")
    for name, targets in TABLES.items():
        unit = perceptron.fit(INPUTS, np.array(targets))
        gate = perceptron.xor if name == "XOR" else perceptron.gate(name)
        set_, learnt = np.asarray(gate(INPUTS), int), np.asarray(unit(INPUTS), int)
        end = f"{int(unit.steps)}, {descent.describe(unit.status)}"
        for row, (x, target) in enumerate(zip(INPUTS.astype(int), targets)):
            print(f"{name:6} {x[0]}  {x[1]}  ->   {target}      {set_[row]}     {learnt[row]}     {end}")
        right &= set_.tolist() == targets and (learnt.tolist() == targets) == (name != "XOR")
        panels.append((f"{name}, one unit that learnt: {descent.describe(unit.status)}", unit, targets))
    network = learn_xor(pick(options, full=200, few=2))
    answers = np.argmax(network.predict(INPUTS), axis=1)
    print(f"XOR by a trained network of {'-'.join(map(str, CONFIG.sizes))} units: {answers.tolist()}")
    right &= answers.tolist() == TABLES["XOR"]
    panels += [
        ("XOR = AND(NAND, OR), two set layers", perceptron.xor, TABLES["XOR"]),
        ("XOR, a network that learnt", network.predict, TABLES["XOR"]),
    ]
    draw(options.out / "gates.png", panels)
    print(f"picture: {options.out / 'gates.png'}")
    correct = sum(a == b for a, b in zip(answers.tolist(), TABLES["XOR"]))
    reached(f"{correct} of the 4 rows of XOR by two layers; one unit learns AND, NAND and OR, never XOR")
    return verdict(options, right)


if __name__ == "__main__":
    sys.exit(main())
