"""What saving costs: `fit` with a checkpoint after every epoch, and the same `fit` without.

The ratio is without / with: 0.91 says that the checkpoints cost 10 %. The start of the run is in it (the
digest of the data and of the program, the lock), and the end, where the last step is waited for.
"""

import itertools
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from bench.case import Case, Contender
from bench.mlp import Problem, make_problem
from bench.timing import first_call
from jaxdl import losses, net, optim, scaling, train
from jaxdl.models import MLP, MLPConfig
from jaxdl.net import Net
from jaxdl.train.checkpoint import Checkpoint

NAME = "checkpoint"
DESCRIPTION = "Adam on 10 MB of parameters: a checkpoint of 30 MB after every epoch of about 1 s, and none"
PEERS = ("without",)
SIZES = (784, 1200, 1200, 10)
BATCH = 128


@dataclass(frozen=True)
class Work:
    """One run of some epochs."""

    problem: Problem
    network: Net
    epochs: int


def adam(hyper: dict[str, float]) -> object:
    return optim.adam(hyper["learning_rate"])


def make_work(quick: bool) -> Work:
    """Random images of digits: what is learned does not matter here."""
    config = MLPConfig(sizes=(784, 64, 10) if quick else SIZES, activation="relu")
    problem = make_problem(BATCH, "cross_entropy", 512 if quick else 8192)
    return Work(problem, net.functional(lambda rngs: MLP(config, rngs=rngs)), 2 if quick else 8)


def fit(work: Work, checkpoint: Checkpoint | None) -> np.ndarray:
    """Train; return the losses."""
    fitted = train.fit(
        work.network, (work.problem.inputs, work.problem.labels), loss=losses.softmax_cross_entropy,
        optimizer=adam, hyper={"learning_rate": 1e-3}, scaling=scaling.pixels(), epochs=work.epochs,
        batch_size=BATCH, progress="off", checkpoint=checkpoint,
    )  # fmt: skip
    return fitted.history["loss"]


def saved(work: Work) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        return fit(work, Checkpoint(Path(folder), every=1))


def _contender(work: Work, saves: bool) -> Contender:
    run = partial(saved, work) if saves else partial(fit, work, None)
    return Contender(run=run, check=run, compile_s=first_call(run))


def flop(work: Work) -> float:
    """Arithmetic of an epoch: forward, and the gradients of weights and of all inputs but x."""
    kernels = [rows * columns for rows, columns in itertools.pairwise(SIZES)]
    return 2 * len(work.problem.labels) * (3 * sum(kernels) - kernels[0])


def cases(quick: bool) -> list[Case]:
    """One size."""
    work = make_work(quick)
    return [
        Case(
            label=f"{work.epochs} epochs, {len(work.problem.labels)} examples",
            ours=partial(_contender, work, True),
            peers={"without": partial(_contender, work, False)},
            units=work.epochs,
            flop=flop(work),
            unit="epoch",
            tolerance=0.0,
        )
    ]
