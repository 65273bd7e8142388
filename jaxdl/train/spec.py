"""What is fixed when a run is compiled, and what a run takes and gives."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import optax

from jaxdl import _checks
from jaxdl.errors import DtypeError, explain
from jaxdl.losses import REDUCTIONS
from jaxdl.net import Tree
from jaxdl.optim import Frozen
from jaxdl.train.by_class import ByClass
from jaxdl.train.order import check_shuffle
from jaxdl.train.shard import ALONE, Plan
from jaxdl.train.stopping import EarlyStopping, Stopping

RESERVED = ("loss", "cost", "probe", "after", "step_loss")
Hyper = Mapping[str, Any]
Loss = Callable[..., jax.Array]
Metric = Callable[[Any, Any], jax.Array]
Optimizer = Callable[[Hyper], optax.GradientTransformation]
Penalty = Callable[..., jax.Array]
Augment = Callable[[jax.Array, Any], Any]


class Step(NamedTuple):
    """One step of training, as `Spec.record` sees it.

    Attributes:
        params: the parameters before the update, at which the gradients were taken.
        state: running statistics before the step.
        gradients: gradients of the cost, penalty included; the shapes of `params`.
        updates: what is added to `params`.
        opt_state: state of the optimizer after the update.
        inputs: the batch, scaled.
        targets: its targets.
        key: the key that dropout had in this step; with micro-batches, each folds its number into it.
        hyper: the hyperparameters.
    """

    params: Tree
    state: Tree
    gradients: Tree
    updates: Tree
    opt_state: Any
    inputs: Any
    targets: Any
    key: jax.Array
    hyper: Hyper


Record = Callable[[Step], Mapping[str, jax.Array]]


@dataclasses.dataclass(frozen=True)
class Spec:
    """The static part of a run: changing any of it compiles another program.

    Attributes:
        epochs: passes over the training examples.
        batch_size: examples a step.
        shuffle: ``"permutation"``, ``"replacement"`` or ``"none"``, see `batch_order`; or what
            `by_class` returns, for batches of a few classes with a few examples of each.
        labels: what integer targets (examples,) are, given outputs (examples, n): ``"classes"``, checked to
            lie in [0, n), or ``"identities"`` of whom or what an example shows, without a bound, where the
            outputs are embeddings.
        reduction: of the per-example losses: ``"mean"``, ``"sum"`` or ``"half_mean"``.
        metrics: pairs (name, function); ``function(outputs, targets)`` gives one value per example, and
            the mean over the validation set is recorded as ``valid_<name>``.
        train_metrics: record the metrics over the training batches too, as they are seen.
        step_losses: record the loss of every step too, as ``step_loss`` (epochs, steps).
        eval_batch_size: examples a validation batch; every example is seen exactly once.
        record: ``record(step) -> {name: array}``, called inside every step with a `Step`; the mean over the
            steps of an epoch is recorded under each name, (epochs, ...). It costs what it computes. Such as
            ``lambda step: {"rate": optim.learning_rate(step), "norm": optim.gradient_norm(step)}``.
        step_records: keep what `record` returns of every step too, as ``step_<name>`` (epochs, steps, ...).
        frozen: what `optim.frozen` returned: these parameters and running statistics keep every bit.
        early_stopping: an `EarlyStopping`, decided after every epoch in the compiled program; None trains
            all epochs.
        augment: ``augment(key, inputs) -> inputs`` of the same shape and dtype, called in training on each
            batch (a dict, where the inputs are one) after the scaling. The key follows from the order, so
            that the members of a sweep that share the order share what is drawn.
        accumulate: micro-batches a step; their gradients are added up before the one update, for the memory
            of one. Batch norm sees the micro-batch, and so does a loss of pairs of the batch: fewer pairs.
        average: decay of an exponential moving average of the parameters, in [0, 1), with bias correction
            (`optim.track_average`). The validation then measures the averaged parameters. None keeps none.
        shard: a plan of `train.shard` for several devices; None leaves all on one.

    Raises:
        ValueError: an entry out of range, a metric called "loss", or an `accumulate` that does not divide a
            batch, or leaves a micro-batch of `by_class` without two whole classes.
        DtypeError: a count that is no whole number, or a part of the wrong kind.
    """

    epochs: int
    batch_size: int
    shuffle: str | ByClass = "permutation"
    labels: str = "classes"
    reduction: str = "mean"
    metrics: tuple[tuple[str, Metric], ...] = ()
    train_metrics: bool = False
    step_losses: bool = False
    eval_batch_size: int = 1024
    record: Record | None = None
    step_records: bool = False
    frozen: Frozen | None = None
    early_stopping: EarlyStopping | None = None
    augment: Augment | None = None
    accumulate: int = 1
    average: float | None = None
    shard: Plan | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "metrics", tuple(dict(self.metrics).items()))
        for name in ("epochs", "batch_size", "eval_batch_size", "accumulate"):
            # As Python's own: a NumPy number is no JSON, and would be another key of the same program.
            object.__setattr__(self, name, _checks.positive_integer("Spec", name, getattr(self, name)))
        check_shuffle("Spec", self.shuffle)
        _checks.one_of("Spec", "labels", self.labels, ("classes", "identities"))
        _checks.one_of("Spec", "reduction", self.reduction, REDUCTIONS)
        if self.average is not None:
            _checks.in_range("Spec", "average", self.average, 0, 1, "[0, 1)")
            object.__setattr__(self, "average", float(self.average))
        _function("record", self.record, "lambda step: {'gradient_norm': optim.gradient_norm(step)}")
        _function("augment", self.augment, "lambda key, x: x + 0.1 * jax.random.normal(key, x.shape)")
        if self.augment is not None:
            _checks.augmentation("Spec", "augment", self.augment)
        _kind("frozen", self.frozen, Frozen, "optim.frozen('layers/0')")
        _kind("early_stopping", self.early_stopping, EarlyStopping, "train.EarlyStopping(patience=10)")
        _kind("shard", self.shard, Plan, "train.shard.data_parallel()")
        if self.batch_size % self.accumulate:
            share = self.accumulate * self.layout.devices
            raise ValueError(
                explain("Spec", "accumulate", got=self.accumulate,
                        expected=f"a divisor of batch_size={self.batch_size}",
                        fix=f"batch_size={-(-self.batch_size // share) * share}")
            )  # fmt: skip
        self.layout.check(self.batch_size, self.accumulate)
        if isinstance(self.shuffle, ByClass):
            self.shuffle.check_micro_batches("Spec", self.batch_size, self.accumulate)
        for name, function in self.metrics:
            if name in RESERVED or name.startswith("valid_") or not callable(function):
                raise ValueError(
                    explain("Spec", "metrics", got=f"{{'{name}': {function!r}}}",
                            expected=f"functions by name, none called {RESERVED} or valid_...",
                            fix="metrics={'accuracy': jaxdl.metrics.accuracy}")
                )  # fmt: skip

    @property
    def layout(self) -> Plan:
        """The plan, one that does nothing where there is none."""
        return ALONE if self.shard is None else self.shard

    @property
    def recorded(self) -> str:
        """The reduction of recorded losses: a sum is recorded as a mean, free of the batch size."""
        return "mean" if self.reduction == "sum" else self.reduction


def _function(name: str, value: Any, fix: str) -> None:
    if value is not None and not callable(value):
        raise DtypeError(
            explain("Spec", name, got=f"a {type(value).__name__}", expected="a function or None",
                    fix=f"{name}={fix}")
        )  # fmt: skip


def _kind(name: str, value: Any, kind: type, fix: str) -> None:
    if not isinstance(value, kind | None):
        raise DtypeError(
            explain("Spec", name, got=f"a {type(value).__name__}", expected=f"a {kind.__name__} or None",
                    fix=f"{name}={fix}")
        )  # fmt: skip


class Arrays(NamedTuple):
    """The examples of a run, on the device.

    Attributes:
        inputs: training inputs (examples, ...), kept in their own dtype: bytes stay bytes; or a dict of such.
        targets: training targets (examples, ...), or a dict of such.
        valid_inputs: validation inputs, or None.
        valid_targets: validation targets, or None.
        scaling: applied to each batch of inputs inside the step, such as a `jaxdl.scaling.Scaling`;
            None leaves them as they are.
    """

    inputs: Any
    targets: Any
    valid_inputs: Any = None
    valid_targets: Any = None
    scaling: Any = None

    def scaled(self, inputs: Any) -> Any:
        """Apply the scaling, where there is one."""
        return inputs if self.scaling is None else self.scaling(inputs)


class Health(NamedTuple):
    """The first step that left the finite numbers: its number, or -1, and the bits of its causes."""

    step: jax.Array
    word: jax.Array


class Carry(NamedTuple):
    """The whole state of a run between two epochs; `stopping` is a `Stopping` where a run may stop early."""

    params: Tree
    state: Tree
    opt_state: Any
    key: jax.Array
    order: jax.Array
    epoch: jax.Array
    history: dict[str, jax.Array]
    health: Health
    stopping: Any = None


class Result(NamedTuple):
    """What a run gives.

    Attributes:
        params: the last parameters, or the best where `EarlyStopping` restores them.
        state: the running statistics that belong to them.
        opt_state: the last state of the optimizer.
        history: what was recorded, by epoch; NaN for epochs that early stopping left out.
        health: the first bad step, or -1.
        average: the averaged parameters, where `Spec.average` asks for them, else None.
        stopping: where early stopping stands, or None.
    """

    params: Tree
    state: Tree
    opt_state: Any
    history: dict[str, jax.Array]
    health: Health
    average: Tree | None = None
    stopping: Stopping | None = None
