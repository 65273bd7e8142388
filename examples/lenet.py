"""LeNet-5 on real handwritten digits, in its modern form or as it was published, as one compiled program.

Reached (seed 0): on 599 held-out digits 98.2 % by the modern form, 97.3 % by the published one; on MNIST,
where 8,000 of the test images train and 2,000 test, 98.45 % by the modern form. Processor time in all: 25
seconds on the digits, 48 on MNIST.

Run by `make demo`, or `python examples/lenet.py [--effort quick] [--original] [--mnist] [--tune] [--seed 0]
[--out DIR]`. Without `--mnist` the 1,797 digits of 8x8 pixels that scikit-learn brings are enlarged to 28x28.
With it, `JAXDL_DATA` names the folder of the files, or they are downloaded; where the 60,000 training images
are not to be had, 8,000 of the test images train and 2,000 are held out. Learning rates were chosen on a
fifth of the training images, which `--tune` repeats. It exits with 1 below 97 % on the digits and 98 % on
MNIST (the published form: 95 % and 97 %).
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxdl
from _effort import add, pick, reached, verdict
from jaxdl import losses, metrics, optim, scaling, train
from jaxdl.data import Dataset, augment, load_digits, load_mnist, split
from jaxdl.models import LeNet5

METRICS = {"accuracy": metrics.accuracy}
RATES = (0.001, 0.002, 0.004, 0.008)
SHIFT = augment.shift(rows=(-2, 2), columns=(-2, 2), mode="edge")


class Task(NamedTuple):
    """What is trained on what, and how."""

    learning: Dataset
    test: Dataset
    highest: int  # value of a pixel of ink
    epochs: int
    batch: int
    shifted: bool  # whether each image is moved by up to two pixels in training


class Form(NamedTuple):
    """One form of the network, with what belongs to it."""

    net: jaxdl.net.Net
    loss: Any
    background: float
    ink: float
    rate: float

    def scaling(self, highest: int) -> scaling.Scaling:
        factor = (self.ink - self.background) / highest
        return scaling.Scaling(jnp.float32(-self.background / factor), jnp.float32(factor))


FORMS = {
    "modern": Form(jaxdl.net.functional(lambda rngs: LeNet5.modern(rngs=rngs)),
                   losses.softmax_cross_entropy, 0.0, 1.0, 0.002),
    "original": Form(jaxdl.net.functional(lambda rngs: LeNet5.original(rngs=rngs)),
                     losses.maximum_a_posteriori, -0.1, 1.175, 0.002),
}  # fmt: skip


def digits(seed: int) -> Task:
    """Return scikit-learn's digits, enlarged to 28x28; a third of them is held out."""
    small = load_digits()
    images = jnp.asarray(small.inputs.reshape(-1, 8, 8, 1))
    large = np.asarray(jax.image.resize(images, (len(small), 28, 28, 1), "linear"))
    learning, test = split(Dataset(large, small.targets, small.classes), (2 / 3, 1 / 3), seed=seed)
    return Task(learning, test, highest=16, epochs=20, batch=32, shifted=False)


def mnist() -> Task:
    """Return the published split, or 8,000 and 2,000 of the published test images."""
    try:
        test = load_mnist("test")
    except OSError as error:
        sys.exit(str(error))
    try:
        return Task(load_mnist("train"), test, highest=255, epochs=10, batch=64, shifted=True)
    except OSError as error:
        print(f"the 60,000 training images are not to be had ({type(error).__name__});")
        print("8,000 of the 10,000 test images train, 2,000 test: a tenth of the usual training set\n")
    parts = test.take(range(8000)), test.take(range(8000, 10000))
    return Task(*parts, highest=255, epochs=20, batch=64, shifted=True)


def optimizer(steps: int) -> Callable[[Any], optax.GradientTransformation]:
    """Return Adam, whose rate rises for a tenth of the steps and falls to 0 by a cosine."""
    return lambda hyper: optim.adam(
        optim.warmup_cosine(hyper["learning_rate"], warmup=steps // 10, total=steps)
    )


def parts(form: Form, task: Task, data: Dataset) -> dict[str, Any]:
    """Return what a run and a sweep of runs have in common."""
    return {
        "loss": form.loss,
        "optimizer": optimizer(task.epochs * (len(data) // task.batch)),
        "metrics": METRICS,
        "scaling": form.scaling(task.highest),
        "epochs": task.epochs,
        "batch_size": task.batch,
        "augment": SHIFT if task.shifted else None,
    }


def tune(form: Form, task: Task) -> None:
    """Print what each learning rate reaches on a fifth of the training images, by one compiled sweep."""
    training, valid = split(task.learning, (0.8, 0.2), seed=0)
    points = train.points.grid(learning_rate=RATES)
    found = train.sweep(form.net, training, valid=valid, hyper=points, seeds=range(2),
                        **parts(form, task, training))  # fmt: skip
    print(found.table(), "\n")


def report(form: Form, task: Task, fitted: train.Fitted, out: Path) -> float:
    """Evaluate on the images that were held out, draw, and return the accuracy."""
    test = task.test
    scores = fitted.predict(test.inputs)
    predictions = scores.argmax(1)
    costs = np.asarray(form.loss(jnp.asarray(scores), jnp.asarray(test.targets)))
    jaxdl.plot.history(fitted.history, path=out / "history.png")
    jaxdl.plot.kernels(fitted.params["layers"][0]["kernel"], path=out / "kernels.png")
    jaxdl.plot.worst_mistakes(test.inputs[..., 0], test.targets, predictions, costs,
                              path=out / "worst_mistakes.png")  # fmt: skip
    wrong = int((predictions != test.targets).sum())
    accuracy = 1 - wrong / len(test)
    print(f"\ntest accuracy {100 * accuracy:.2f} %: {wrong} of {len(test):,} wrong")
    return accuracy


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--original", action="store_true", help="the published network, not the modern one")
    parser.add_argument("--mnist", action="store_true", help="real MNIST instead of scikit-learn's digits")
    parser.add_argument("--tune", action="store_true", help="compare learning rates on a validation split")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/lenet"))
    add(parser)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    name = "original" if options.original else "modern"
    form, task = FORMS[name], mnist() if options.mnist else digits(options.seed)
    some = task._replace(learning=task.learning.take(range(72)), test=task.test.take(range(64)), epochs=1)
    task = pick(options, full=task, quick=task._replace(epochs=10), few=some)
    if options.tune:
        tune(form, task)

    training, valid = split(task.learning, (0.9, 0.1), seed=options.seed)
    print(f"{len(training):,} digits to train, {len(valid)} to watch, {len(task.test):,} held out\n")
    print(jaxdl.net.summary(form.net, form.scaling(task.highest)(training.inputs[:1])), "\n")
    fitted = train.fit(
        form.net,
        training,
        valid=valid,
        hyper={"learning_rate": form.rate},
        train_metrics=True,
        seed=options.seed,
        progress="lines",
        **parts(form, task, training),
    )
    accuracy = report(form, task, fitted, options.out)
    model = train.save(options.out / "model.safetensors", fitted)
    some = task.test.inputs[:256]
    if not np.array_equal(train.load(model).predict(some), fitted.predict(some)):
        print("the saved model predicts otherwise than the trained one")
        return verdict(options, False)
    timing = fitted.timing
    print(f"compile time {timing.compile:.2f} s, run time {timing.run:.2f} s, "
          f"{timing.examples_per_second:,.0f} examples/s, validation included")  # fmt: skip
    print(f"learning curve, kernels, worst mistakes, model: {options.out}")
    needed = {("modern", False): 0.97, ("modern", True): 0.98, ("original", False): 0.95}
    reached(f"{100 * accuracy:.2f} % of {len(task.test):,} held-out digits, the {name} form")
    return verdict(options, accuracy >= needed.get((name, options.mnist), 0.97))


if __name__ == "__main__":
    sys.exit(main())
