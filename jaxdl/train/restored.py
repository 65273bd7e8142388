"""A checkpoint read back to predict with: the network of a saved epoch, without the run around it."""

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxdl import _checks, optim
from jaxdl.errors import explain
from jaxdl.net import Net, Tree, require
from jaxdl.train import door
from jaxdl.train.checkpoint import Store
from jaxdl.train.checkpoint.identity import digest
from jaxdl.train.fitted import Trained
from jaxdl.train.spec import Hyper


@dataclasses.dataclass(frozen=True, eq=False)
class Restored(Trained):
    """A network as it was saved within a run; `train.save` writes it as a model of its own.

    Attributes:
        net: the network.
        params: its parameters.
        state: its running statistics.
        hyper: hyperparameters of the run.
        scaling: scaling of the inputs, or None.
        epoch: epochs that were over.
        score: value of ``Checkpoint.best`` after them, or None.
        reduction: of the losses, as trained.
        average: the averaged parameters, where the run kept them, else None.
        classes: None, as a run does not save them.
        labels: what integer targets are, as trained: ``"classes"`` or ``"identities"``.
    """

    net: Net
    params: Tree
    state: Tree
    hyper: Hyper
    scaling: Any
    epoch: int
    score: float | None
    reduction: str = "mean"
    average: Tree | None = None
    classes: tuple[str, ...] | None = None
    labels: str = "classes"


def restore(folder: str | Path, net: Net, *, which: str = "best", scaling: Any = None) -> Restored:
    """Read the best or the newest saved epoch of a run, verified by its SHA-256; the run may go on meanwhile.

    Args:
        folder: the folder of the checkpoints.
        net: the network of the run.
        which: ``"best"``, by ``Checkpoint(best=...)``, or ``"newest"``.
        scaling: that of the run.

    Returns:
        `Restored`: it predicts and evaluates.

    Raises:
        ValueError: no such step in the folder, or another scaling than that of the run.
        ShapeError, DtypeError: another network than that of the run.
        FormatError: the step is damaged (of the newest: every step), or of a newer version.

    Example:
        >>> import tempfile
        >>> from jaxdl import losses, net, optim, train
        >>> line = net.from_pair(lambda key: {"w": np.zeros((1, 1), "f4")}, lambda params, x: x @ params["w"])
        >>> x = np.linspace(-1, 1, 32, dtype=np.float32)[:, None]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = train.fit(line, (x, 3 * x), loss=losses.squared_error, optimizer=optim.sgd(0.5), epochs=4,
        ...                   batch_size=8, checkpoint=train.Checkpoint(folder, best="loss"), progress="off")
        ...     best = train.restore(folder, line)
        >>> best.epoch, best.predict(x).shape
        (4, (32, 1))
    """
    require("restore", net)
    _checks.one_of("restore", "which", which, ("best", "newest"))
    store = Store(folder, writable=False)
    step = _best(folder) if which == "best" else None
    saved = store.restore(partial(_like, net, scaling), step=step, within=_within)
    if saved is None:
        raise ValueError(
            explain("restore", "folder", got=f"{store.folder}, without a step",
                    expected="the folder of a run that was saved", fix="fit(..., checkpoint=folder)")
        )  # fmt: skip
    params, state, average = saved.tree["params"], saved.tree["state"], None
    if _averages(saved.record):
        average = optim.averaged_params(saved.tree["opt_state"], params)
    recorded = "mean" if saved.record["spec"]["reduction"] == "sum" else saved.record["spec"]["reduction"]
    return Restored(net, params, state, _hyper(saved.record), scaling, saved.record["epoch"], saved.score,
                    recorded, average, labels=saved.record["spec"].get("labels", "classes"))  # fmt: skip


def _like(net: Net, scaling: Any, record: dict[str, Any]) -> dict[str, Any]:
    """Return what is read, as shapes, after the scaling was found to be that of the run."""
    if digest(jax.device_put(scaling)) != record["data"]["scaling"]:
        raise ValueError(
            explain("restore", "scaling", got="None" if scaling is None else "another one",
                    expected="that of the run", fix="pass what was given to fit as scaling=")
        )  # fmt: skip
    params, state = jax.eval_shape(net.init, jax.random.key(0))
    average = jax.eval_shape(optim.start_average, params) if _averages(record) else None
    return {"params": params, "state": state, "opt_state": [None, average]}


def _within(record: dict[str, Any]) -> tuple[str, ...]:
    # The average is behind the optimizer in the chain, as `make_rule` puts it.
    return ("params/", "state/", *(["opt_state/1/"] if _averages(record) else []))


def _averages(record: dict[str, Any]) -> bool:
    return record["spec"]["average"] is not None


def _hyper(record: dict[str, Any]) -> Hyper:
    """Return the hyperparameters as `fit` had them: whole numbers were integers there."""
    saved = record["hyper"].items()
    return door.hyper({name: np.int32(v) if isinstance(v, int) else v for name, v in saved})


def _best(folder: str | Path) -> int:
    """Return the best of the saved epochs, by what the run compared."""
    record = next(Store(folder, writable=False).records(), {})
    step = Store(folder, mode=record["best"][1], writable=False).best if "best" in record else None
    if step is None:
        raise ValueError(
            explain("restore", "which", got=f"'best', of {folder} without a score", expected="'newest'",
                    fix="save with Checkpoint(folder, best='valid_loss'), or which='newest'")
        )  # fmt: skip
    return step
