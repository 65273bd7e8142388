"""A training run that is killed while it trains, and resumed: to the last bit the unbroken run.

A child process trains a network with batch norm and dropout by Adam on handwritten digits, and saves after
every epoch. It is killed (SIGKILL: nothing is cleaned up), the run is resumed, and the SHA-256 of parameters,
running statistics, state of the optimizer and learning curves is compared with that of a run that nothing
broke. Then one bit of the newest checkpoint is flipped: the damage is named, and the one before it taken.

Reached equal digests in all three, and 97.8 % on the 599 digits it was watched on. It takes 18 s of one core.

Run by `python examples/resume.py [--effort quick] [--epochs 40] [--seed 0] [--out out/resume]`.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
from flax import nnx

import jaxdl
from _effort import add, pick, reached, verdict
from jaxdl import losses, metrics, optim, scaling, train
from jaxdl.data import load_digits, split
from jaxdl.errors import CheckpointWarning
from jaxdl.models import MLP, MLPConfig
from jaxdl.train.checkpoint import Checkpoint

CONFIG = MLPConfig(sizes=(64, 128, 10), activation="relu", batch_norm=True, dropout=0.2)


def make(rngs: nnx.Rngs) -> MLP:
    return MLP(CONFIG, rngs=rngs)


def adam(hyper: dict[str, jax.Array]) -> optax.GradientTransformation:
    return optim.adam(hyper["learning_rate"])


# The same objects for every run: what is compiled for one serves the next.
NET = jaxdl.net.functional(make)


def fit(options: argparse.Namespace, checkpoint: Checkpoint | None, resume: bool = False) -> train.Fitted:
    training, valid = split(load_digits(), (2 / 3, 1 / 3), seed=0)
    return train.fit(
        NET,
        training,
        valid=valid,
        loss=losses.softmax_cross_entropy,
        optimizer=adam,
        hyper={"learning_rate": 1e-3},
        metrics={"accuracy": metrics.accuracy},
        scaling=scaling.pixels(highest=16),
        epochs=options.epochs,
        batch_size=32,
        seed=options.seed,
        progress="off",
        checkpoint=checkpoint,
        resume=resume,
    )


def fingerprint(fitted: train.Fitted) -> str:
    """SHA-256 of everything that a run gave."""
    parts: Any = (fitted.params, fitted.state, fitted.opt_state, dict(fitted.history.curves))
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(parts)]
    return hashlib.sha256(b"".join(leaf.tobytes() for leaf in leaves)).hexdigest()


def steps(folder: Path) -> list[Path]:
    return sorted(folder.glob("step_*"))


def kill_midway(options: argparse.Namespace, folder: Path) -> int:
    """Start a child that trains, and kill it at a random instant after a third of the epochs."""
    arguments = ["--epochs", str(options.epochs), "--seed", str(options.seed), "--child", str(folder)]
    child = subprocess.Popen([sys.executable, __file__, *arguments])
    aim = options.epochs // 3
    while child.poll() is None and not any(int(step.name[5:]) >= aim for step in steps(folder)):
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.2))
    child.send_signal(signal.SIGKILL)
    return child.wait()


def flip_one_bit(step: Path) -> Path:
    """Flip a bit in the middle of the largest file of a checkpoint."""
    path = max((path for path in step.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
    return path.relative_to(step)


def draw(resumed: train.Fitted, whole: train.Fitted, saved: int, path: Path) -> None:
    """Draw the curve of the run that was killed, up to what it had saved and from there, beside the other."""
    curve = resumed.history["valid_loss"]
    epochs = np.arange(len(curve))
    parts = {
        "saved before it was killed": np.where(epochs < saved, curve, np.nan),
        "resumed": np.where(epochs >= saved - 1, curve, np.nan),
    }
    panels = {"killed and resumed": parts, "unbroken": {"nothing happened": whole.history["valid_loss"]}}
    jaxdl.plot.comparison(panels, log=True, ylabel="validation loss", path=path)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/resume"))
    parser.add_argument("--child", type=Path, help="train in this folder: the process that is killed")
    add(parser)
    options = parser.parse_args(arguments)
    options.epochs = pick(options, full=40, few=9, given=options.epochs)
    if options.child is not None:
        fit(options, Checkpoint(options.child, every=1))
        return 0
    folder = options.out / "run"
    shutil.rmtree(folder, ignore_errors=True)
    policy = Checkpoint(folder, every=1)

    code = kill_midway(options, folder)
    if code != -signal.SIGKILL:
        print(f"the child ended with code {code} before it was killed")
        return verdict(options, False)
    print(f"killed with {', '.join(step.name for step in steps(folder))} on the disk")
    saved = int(steps(folder)[-1].name[5:])
    resumed = fit(options, policy, resume=True)
    whole = fit(options, None)
    draw(resumed, whole, saved, options.out / "resume.png")
    for name, fitted in (("resumed ", resumed), ("unbroken", whole)):
        accuracy = fitted.history["valid_accuracy"][-1]
        print(f"{name}  SHA-256 {fingerprint(fitted)}  accuracy {100 * accuracy:.1f} %")

    newest = steps(folder)[-1]
    print(f"\none bit of {newest.name}/{flip_one_bit(newest)} flipped")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CheckpointWarning)
        again = fit(options, policy, resume=True)
    print("\n".join(str(warning.message) for warning in caught))
    same = fingerprint(resumed) == fingerprint(whole) == fingerprint(again)
    print(f"\nbit by bit the unbroken run: {'yes' if same else 'NO'}")
    accuracy = resumed.history["valid_accuracy"][-1]
    reached(f"{'equal' if same else 'different'} SHA-256 of the killed and the unbroken run; "
            f"{100 * accuracy:.1f} % of held-out digits")  # fmt: skip
    return verdict(options, same and len(caught) == 1)


if __name__ == "__main__":
    sys.exit(main())
