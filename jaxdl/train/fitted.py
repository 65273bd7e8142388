"""What training gives: parameters, history and timing, ready to predict, evaluate and be saved."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax

from jaxdl.errors import explain
from jaxdl.net import Net, Tree
from jaxdl.train.history import History
from jaxdl.train.predict import evaluate, predict
from jaxdl.train.spec import Hyper, Loss, Metric
from jaxdl.train.stopping import Stopping


def check_trained(op: str, fitted: Any) -> None:
    """Raise `TypeError` unless `fitted` is one trained network, a `Fitted` or a `Loaded`."""
    if hasattr(fitted, "members"):
        raise TypeError(
            explain(op, "fitted", got=f"a {type(fitted).__name__} of many networks", expected="one of them",
                    fix="sweep.best(...) or sweep.member(i)")
        )  # fmt: skip
    if not all(hasattr(fitted, part) for part in ("net", "params", "state", "scaling", "classes")):
        raise TypeError(
            explain(op, "fitted", got=f"a {type(fitted).__name__}",
                    expected="what train.fit or train.load returned", fix=f"{op} the whole Fitted")
        )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Timing:
    """Seconds of a run: `compile` (near 0 when reused; initial parameters included), `run`, and its speed."""

    compile: float
    run: float
    examples_per_second: float


class Trained:
    """What a trained network can do: the methods that its kinds have in common."""

    net: Net
    params: Tree
    state: Tree
    hyper: Hyper
    scaling: Any
    reduction: str
    labels: str

    def predict(self, inputs: Any, *, batch_size: int = 1024) -> Any:
        """Return the outputs for raw inputs (examples, ...), scaled as in training; see `train.predict`."""
        return predict(self.net, self.params, self.state, inputs, batch_size=batch_size,
                       scaling=self.scaling, hyper=self.hyper)  # fmt: skip

    def evaluate(
        self, data: Any, *, loss: Loss, metrics: Mapping[str, Metric] | None = None, **options: Any
    ) -> dict[str, float]:
        """Return loss and metrics over a data set, reduced as in training; see `train.evaluate`."""
        options = {"reduction": self.reduction, "labels": self.labels} | options
        return evaluate(self.net, self.params, self.state, data, loss=loss, metrics=metrics,
                        scaling=self.scaling, hyper=self.hyper, **options)  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Fitted(Trained):
    """A trained network and all that came with it.

    Attributes:
        net: the network.
        params: trained parameters.
        state: running statistics.
        opt_state: state of the optimizer.
        history: what was recorded, by epoch.
        timing: compile time and run time apart.
        hyper: hyperparameters of the run.
        scaling: scaling of the inputs, or None.
        classes: class names, or None.
        reduction: of the losses, as trained.
        average: the averaged parameters, where ``average=`` asked for them, else None.
        stopping: where early stopping ended, or None.
        stopped: why the run ended before its last epoch, such as ``"early stopping"``, or None.
        example: shape and dtype of one example of the inputs, a `jax.ShapeDtypeStruct`, or a dict of such.
        labels: what integer targets are, as trained: ``"classes"`` or ``"identities"``.
    """

    net: Net
    params: Tree
    state: Tree
    opt_state: Any
    history: History
    timing: Timing
    hyper: Hyper
    scaling: Any = None
    classes: tuple[str, ...] | None = None
    reduction: str = "mean"
    average: Tree | None = None
    stopping: Stopping | None = None
    stopped: str | None = None
    example: Any = None
    labels: str = "classes"

    def __repr__(self) -> str:
        count = sum(leaf.size for leaf in jax.tree.leaves(self.params))
        words = [self.history.line(self.history.epochs - 1)] if self.history.epochs else []
        words += [f"{count:,} parameters", *([] if self.stopped is None else [f"stopped: {self.stopped}"])]
        return f"Fitted({'; '.join(words)})"

    def averaged(self) -> "Fitted":
        """Return the same with the averaged parameters in the place of the last ones.

        Raises:
            ValueError: the run kept no average.
        """
        if self.average is None:
            raise ValueError(
                explain("Fitted.averaged", "average", got="None", expected="a run that kept an average",
                        fix="fit(..., average=0.999)")
            )  # fmt: skip
        return dataclasses.replace(self, params=self.average)
