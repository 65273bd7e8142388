"""Loss against training-set size and against hyperparameters: the whole grid is one compiled program."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain
from jaxdl.select import _examples, _program

Fit = Callable[..., Callable[[Any], Any]]
Loss = Callable[[Any, Any], jax.Array]


@dataclasses.dataclass(frozen=True, eq=False)
class Curve:
    """Training and cross-validation losses over a grid of sizes and values.

    The properties have the axes that were asked for: (sizes,), (values,) or (sizes, values).

    Attributes:
        sizes: (sizes,) numbers of training examples, or None where all were taken.
        values: arrays (values, ...) by keyword of the fit; empty where none was varied.
        train_losses: (folds, sizes, values) mean losses over the examples that were trained on, without
            any penalty.
        cv_losses: (folds, sizes, values) mean losses over the examples that were held out.
        batch_size: fits that ran at once.
        memory: bytes of intermediate results that XLA reported for them, or -1.
        statuses: (folds, sizes, values) how each fit ended, as its model's `status` says, in the words of
            `jaxdl.descent.describe`: 0 is converged, or a model that does not say.
    """

    sizes: np.ndarray | None
    values: dict[str, np.ndarray]
    train_losses: np.ndarray
    cv_losses: np.ndarray
    batch_size: int
    memory: int
    statuses: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((), np.int32))

    @property
    def train_loss(self) -> np.ndarray:
        """Mean over the folds of the training losses."""
        return self._shaped(self.train_losses)

    @property
    def cv_loss(self) -> np.ndarray:
        """Mean over the folds of the cross-validation losses."""
        return self._shaped(self.cv_losses)

    @property
    def failed(self) -> int:
        """Number of fits that did not converge, or whose training or cross-validation loss is not finite."""
        finite = np.isfinite(self.train_losses) & np.isfinite(self.cv_losses)
        return int(np.sum(~finite | (self.statuses != 0)))

    @property
    def best_index(self) -> int:
        """Index of the value of least cross-validation loss, at the last size; what is not finite never wins.

        Raises:
            ValueError: no loss is finite.
        """
        losses = self.cv_losses.mean(axis=0)[-1]
        if not np.isfinite(losses).any():
            raise ValueError(
                explain("Curve.best", "cv_losses", got="not finite anywhere", expected="one finite loss",
                        fix="look at a single fit: it diverged, or the data are bad")
            )  # fmt: skip
        return int(np.argmin(np.where(np.isfinite(losses), losses, np.inf)))

    @property
    def best(self) -> dict[str, Any]:
        """The values of least cross-validation loss by keyword, and that loss as ``"cv_loss"``."""
        index = self.best_index
        found = {name: values[index] for name, values in self.values.items()}
        return found | {"cv_loss": float(self.cv_losses.mean(axis=0)[-1, index])}

    def _shaped(self, losses: np.ndarray) -> np.ndarray:
        mean = losses.mean(axis=0)
        mean = mean if self.values else mean[:, 0]
        return mean if self.sizes is not None else mean[0]


def learning_curve(
    fit: Fit,
    loss: Loss,
    training: Any,
    valid: Any = None,
    *,
    sizes: Any,
    values: Mapping[str, Any] | None = None,
    folds: Any = None,
    key: jax.Array | None = None,
    batch_size: int | None = None,
    memory_limit: int = _program.MEMORY_LIMIT,
) -> Curve:
    """Fit on the first m examples for every size m, and compare training with cross-validation loss.

    All sizes (times values, times folds) are one compiled program: a smaller set is the whole set with 0/1
    weights, so each fit costs what the whole set costs. Penalties are left out of both losses.

    Args:
        fit: ``fit(inputs, targets, *, weights, ...) -> model``, pure, where examples of weight 0 are not
            there; ``model(inputs)`` gives the outputs. Programs are kept by function: define it once.
        loss: ``loss(outputs, targets) -> (examples,)``.
        training: a `Dataset`, or a pair (inputs, targets) of arrays.
        valid: the cross-validation set, in the same form; None with `folds`.
        sizes: whole numbers (sizes,), the numbers of training examples.
        values: arrays (values, ...) by keyword of `fit`, to be tried at every size.
        folds: `jaxdl.data.Folds` of `training`, or 0/1 training weights (folds, examples): each fold
            takes its first m training examples and holds the others out.
        key: draws the order of the examples once; None takes them as they come, so they must not be sorted.
        batch_size: fits at once; None runs all at once if `memory_limit` allows it, else as many as fit. A
            few at once can be faster on a CPU where fits iterate: all wait for the slowest.
        memory_limit: bytes of intermediate results, as XLA reports them.

    Returns:
        The `Curve`; its losses are (sizes,), or (sizes, values).

    Raises:
        DtypeError: an argument has the wrong type.
        ShapeError: lengths differ, or the loss is not one value per example.
        ValueError: a size out of range, or both or neither of `valid` and `folds`.
        FormatError: numbers that are not finite, or folds other than 0 and 1.

    Example:
        >>> def mean(inputs, targets, *, weights):
        ...     level = jnp.sum(weights * targets) / jnp.sum(weights)
        ...     return lambda x: jnp.full(len(x), level)
        >>> x, y = np.zeros((4, 1)), np.array([0.0, 2.0, 4.0, 6.0])
        >>> curve = learning_curve(mean, lambda a, b: (a - b) ** 2, (x, y), (x, y), sizes=[1, 2, 4])
        >>> curve.train_loss.tolist(), curve.cv_loss.tolist()
        ([0.0, 1.0, 5.0], [14.0, 9.0, 5.0])

    Reference:
        Equals ``sklearn.model_selection.learning_curve`` with the same folds and ``shuffle=False``.
    """
    return _curve("learning_curve", fit, loss, training, valid, sizes, values, folds, key, batch_size,
                  memory_limit)  # fmt: skip


def validation_curve(
    fit: Fit,
    loss: Loss,
    training: Any,
    valid: Any = None,
    *,
    values: Mapping[str, Any],
    sizes: Any = None,
    folds: Any = None,
    key: jax.Array | None = None,
    batch_size: int | None = None,
    memory_limit: int = _program.MEMORY_LIMIT,
) -> Curve:
    """Fit with every value of a hyperparameter, and compare training with cross-validation loss.

    All values (times sizes, times folds) are one compiled program. A choice of features, such as a
    polynomial degree, is a value too: the ``mask`` of a fit made by `masked`.

    Args:
        fit: as in `learning_curve`; it also takes the keywords of `values`, traced.
        loss: ``loss(outputs, targets) -> (examples,)``.
        training: a `Dataset`, or a pair (inputs, targets) of arrays.
        valid: the cross-validation set, in the same form; None with `folds`.
        values: arrays (values, ...) by keyword of `fit`; several are taken together, not as a product.
        sizes: numbers of training examples (sizes,), each to be tried with every value; None takes all.
        folds: `jaxdl.data.Folds` of `training`, or 0/1 training weights (folds, examples).
        key: draws the order of the examples, which matters with `sizes` alone.
        batch_size: fits at once, as in `learning_curve`.
        memory_limit: bytes of intermediate results, as XLA reports them.

    Returns:
        The `Curve`; its losses are (values,), or (sizes, values), and `Curve.best` the best value.

    Raises:
        DtypeError: an argument has the wrong type.
        ShapeError: lengths differ, or the loss is not one value per example.
        ValueError: a size out of range, or both or neither of `valid` and `folds`.
        FormatError: numbers that are not finite, or folds other than 0 and 1.

    Example:
        >>> def shrunk(inputs, targets, *, weights, l2):
        ...     level = jnp.sum(weights * targets) / (jnp.sum(weights) + l2)
        ...     return lambda x: jnp.full(len(x), level)
        >>> data = np.zeros((2, 1)), np.array([4.0, 4.0])
        >>> curve = validation_curve(shrunk, lambda a, b: (a - b) ** 2, data, data,
        ...                          values={"l2": np.array([0.0, 2.0, 6.0])})
        >>> curve.cv_loss.tolist(), float(curve.best["l2"])
        ([0.0, 4.0, 9.0], 0.0)

    Reference:
        Equals ``sklearn.model_selection.validation_curve`` with the same folds.
    """
    _examples.value_grid("validation_curve", values)
    return _curve("validation_curve", fit, loss, training, valid, sizes, values, folds, key, batch_size,
                  memory_limit)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class _Grid:
    """The program of a grid; equal fields are the same program."""

    op: str
    fit: Fit
    loss: Loss
    apart: bool  # whether the held-out examples are a set of their own

    def __call__(self, batch_size: int) -> Callable[..., Any]:
        def grid(training: Any, valid: Any, ranks: jax.Array, setups: Any, values: Any) -> Any:
            count = jax.tree.leaves(values)[0].shape[0]

            def setup(point: Any) -> Any:
                fold, size = point
                weights = (ranks[fold] < size).astype(_weight_dtype(training[0]))
                held = (ranks[fold] == ranks.shape[1]).astype(weights.dtype)
                # Within one setup the weights are the same for all values: what depends on them
                # alone, such as a Gram matrix, is computed once.
                return _program.mapped(
                    lambda value: self._losses(training, valid, weights, held, value), values, batch_size
                )

            return _program.mapped(setup, setups, max(1, batch_size // count))

        return grid

    def _losses(
        self, training: Any, valid: Any, weights: jax.Array, held: jax.Array, value: Any
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        options = {name: entry for name, entry in value.items() if name != _NOTHING}
        model = self.fit(*training, weights=weights, **options)
        seen = self._rows(model, training)
        status = jnp.max(jnp.asarray(getattr(model, "status", 0), jnp.int32))
        other = jnp.mean(self._rows(model, valid)) if self.apart else _examples.weighted_mean(seen, held)
        return _examples.weighted_mean(seen, weights), other, status

    def _rows(self, model: Callable[[Any], Any], examples: Any) -> jax.Array:
        inputs, targets = examples
        return _examples.rows(self.op, self.loss(model(inputs), targets), len(inputs))


_NOTHING = ""


def _weight_dtype(inputs: jax.Array) -> Any:
    return inputs.dtype if jnp.issubdtype(inputs.dtype, jnp.floating) else jnp.float32


def _ranks(op: str, examples: int, folds: Any, valid: Any, key: jax.Array | None) -> tuple[np.ndarray, int]:
    """Return the place of each example among those its fold trains on, and how many every fold has.

    Held-out examples have the number of examples as their place, beyond every size.
    """
    if (folds is None) == (valid is None):
        raise ValueError(
            explain(op, "folds",
                    got="missing, as is 'valid'" if folds is None else "given beside 'valid'",
                    expected="either a validation set or folds", fix="leave one out, or pass one")
        )  # fmt: skip
    kept = np.ones((1, examples), bool) if folds is None else _examples.fold_weights(op, folds, examples)
    order = np.arange(examples)
    if key is not None:
        order = np.asarray(jax.random.permutation(_checks.key(op, key), examples))
    ranks = np.empty(kept.shape, np.int32)
    ranks[:, order] = np.cumsum(kept[:, order], axis=1) - 1
    return np.where(kept, ranks, examples).astype(np.int32), int(kept.sum(axis=1).min())


def _curve(
    op: str, fit: Fit, loss: Loss, training: Any, valid: Any, sizes: Any, values: Any, folds: Any,
    key: jax.Array | None, batch_size: int | None, memory_limit: int,
) -> Curve:  # fmt: skip
    _examples.callables(op, fit=fit, loss=loss)
    data = _examples.pair(op, "training", training)
    held = data if valid is None else _examples.pair(op, "valid", valid)
    if held[0].shape[1:] != data[0].shape[1:] or held[1].shape[1:] != data[1].shape[1:]:
        raise ShapeError(
            explain(op, "valid", got=f"of shapes {held[0].shape} and {held[1].shape}",
                    expected=f"examples as in training, {data[0].shape} and {data[1].shape}",
                    fix="prepare both sets in the same way")
        )  # fmt: skip
    ranks, most = _ranks(op, len(data[0]), folds, valid, key)
    every = np.array([len(data[0])]) if sizes is None else _examples.training_sizes(op, sizes, most)
    grid, count = _examples.value_grid(op, {_NOTHING: np.zeros(1)} if values is None else values)
    setups = [part.reshape(-1) for part in np.meshgrid(range(len(ranks)), every, indexing="ij")]
    arguments = (data, held, *jax.tree.map(jnp.asarray, (ranks, tuple(s.astype(np.int32) for s in setups))),
                 grid)  # fmt: skip
    program = _program.compiled(op, _Grid(op, fit, loss, valid is not None), arguments,
                                points=len(setups[0]) * count, batch_size=batch_size,
                                memory_limit=memory_limit)  # fmt: skip
    found = [np.asarray(part).reshape(len(ranks), len(every), count) for part in program.call(*arguments)]
    return Curve(
        sizes=None if sizes is None else every,
        values={} if values is None else {name: np.asarray(v) for name, v in grid.items()},
        train_losses=found[0], cv_losses=found[1], statuses=found[2], batch_size=program.batch_size,
        memory=program.memory,
    )  # fmt: skip
