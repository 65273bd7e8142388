"""A run that diverges: where, why and at which line, read from its report; then the same run, saved.

A cross-entropy written by hand, the log of a softmax, on 1,198 real handwritten digits, with a learning rate
that is warmed up to 8: once a probability underflows to 0 its logarithm is infinite. The report names the
step, the line of the logarithm and the norms by layer; the run goes on from its last good state, with a
learning rate of at most 1.

Reached: diverged at step 146, in the 4th epoch; gone on after 3 whole epochs, 97.3 % of 599 held-out digits;
16 seconds of processor time, most of it compiling.

Run by `python examples/divergence.py [--effort quick] [--peak 8] [--seed 0] [--out out/divergence]`.
"""

import argparse
import inspect
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxdl
from _effort import add, reached, verdict
from jaxdl import metrics, optim, scaling, train
from jaxdl.data import load_digits, split
from jaxdl.errors import DivergenceError
from jaxdl.models import MLP, MLPConfig

EPOCHS, BATCH, WARMUP, TOTAL, SMALLER = 40, 32, 600, 1480, 1.0
CONFIG = MLPConfig(sizes=(64, 64, 10), activation="tanh")
NET = jaxdl.net.functional(lambda rngs: MLP(CONFIG, rngs=rngs))


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """The textbook's formula as it stands; `losses.softmax_cross_entropy` never takes this logarithm."""
    probabilities = jnp.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    chosen = jnp.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
    return -jnp.log(chosen)


class EveryEpoch:
    """A callback that ends every chunk after one epoch: the last good state is then as near as it can be."""

    def until(self, epoch: int) -> int:
        return epoch + 1

    def __call__(self, moment: train.Moment) -> None:
        pass


def descent(hyper: dict[str, jax.Array]) -> optax.GradientTransformation:
    return optim.sgd(optim.warmup_cosine(hyper["peak"], warmup=WARMUP, total=TOTAL))


def tell(error: DivergenceError) -> str:
    """Word what the error holds."""
    lines = [str(error), "", f"step   {error.step}", f"epoch  {error.epoch + 1}", f"cause  {error.cause}"]
    lines += [f"line   {error.line}", "", f"{'leaf':<20}{'gradient norm':>15}{'parameter norm':>16}"]
    norms = error.norms or {"gradients": {}, "parameters": {}}
    for name, norm in norms["gradients"].items():
        lines.append(f"{name:<20}{norm:>15.4g}{norms['parameters'][name]:>16.4g}")
    return "\n".join(lines)


def line_of_the_logarithm() -> int:
    lines, first = inspect.getsourcelines(cross_entropy)
    return first + next(i for i, text in enumerate(lines) if "jnp.log" in text)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peak", type=float, default=8.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/divergence"))
    add(parser)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)

    training, test = split(load_digits(), (2 / 3, 1 / 3), seed=options.seed)
    pixels = scaling.pixels(highest=16)
    try:
        train.fit(
            NET,
            training,
            loss=cross_entropy,
            optimizer=descent,
            hyper={"peak": options.peak},
            scaling=pixels,
            epochs=EPOCHS,
            batch_size=BATCH,
            seed=options.seed,
            callbacks=[EveryEpoch()],  # without it, the chunks are as long as the machine is fast
            progress="off",
        )
    except DivergenceError as error:
        report = error
    else:
        print(f"the run with a peak of {options.peak:g} did not diverge")
        return verdict(options, False)
    print(tell(report))
    (options.out / "report.txt").write_text(tell(report) + "\n")

    program = train.make_program(NET, cross_entropy, descent, train.Spec(EPOCHS, BATCH))
    data = train.Arrays(jnp.asarray(training.inputs), jnp.asarray(training.targets), scaling=pixels)
    hyper = {"peak": jnp.float32(SMALLER)}
    carry = jax.jit(program.advance)(report.last_good, EPOCHS, data, hyper)
    logits = train.predict(NET, carry.params, carry.state, test.inputs, scaling=pixels)
    accuracy = float(np.mean(metrics.accuracy(jnp.asarray(logits), jnp.asarray(test.targets))))
    text = f"{100 * accuracy:.1f} % of {len(test)} held-out digits"
    good = int(report.last_good.epoch)
    epochs = "1 good epoch" if good == 1 else f"{good} good epochs"
    before = np.asarray(report.last_good.history["loss"])[:good]
    after = np.where(np.arange(EPOCHS) < good, np.nan, carry.history["loss"])
    runs = {f"a peak of {options.peak:g}, until it diverges": before} if good else {}
    runs |= {f"gone on, {SMALLER:g} at most": after}
    jaxdl.plot.comparison({"training loss": runs}, log=True, path=options.out / "loss.png")
    print(f"\ngone on after {epochs} with a peak of {SMALLER:g}: {text}")

    line = f"divergence.py:{line_of_the_logarithm()} in cross_entropy"
    leaves = jax.tree.leaves(report.last_good.params)
    claims = {
        "the line of the logarithm": line in str(report.line),
        "the cause, after the first epoch": report.cause == "loss" and report.epoch > 0,
        "a last good state": all(np.isfinite(leaf).all() for leaf in leaves) and good == report.epoch,
        "a run that is healthy again": int(carry.health.step) == -1 and accuracy > 0.94,
    }
    for claim, holds in claims.items():
        if not holds:
            print(f"{claim}: this does not hold")
    reached(f"diverged at step {report.step}; gone on, {text}")
    return verdict(options, all(claims.values()))


if __name__ == "__main__":
    sys.exit(main())
