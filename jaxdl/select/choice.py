"""The choice among models: by cross-validation loss, with the test set touched once, at the end."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl.errors import DtypeError, ShapeError, explain
from jaxdl.select import _examples, _program
from jaxdl.select.curves import Curve, Fit, Loss, validation_curve


@dataclasses.dataclass(frozen=True, eq=False)
class Choice:
    """The model that was chosen, and what the choice rests on.

    Attributes:
        name: the candidate of least cross-validation loss.
        values: the values of its hyperparameters, by keyword; empty where none was varied.
        model: the candidate, fitted with these values on all training examples.
        curves: the `Curve` of every candidate, by name.
        train_loss: mean loss of the model over the training examples, without any penalty.
        cv_loss: the least cross-validation loss.
        test_loss: mean loss of the model over the test set, which nothing else has seen.
    """

    name: str
    values: dict[str, Any]
    model: Any
    curves: dict[str, Curve]
    train_loss: float
    cv_loss: float
    test_loss: float

    @property
    def cv_losses(self) -> dict[str, float]:
        """The least cross-validation loss of each candidate by name, NaN for one that failed."""
        return {name: _least(curve) for name, curve in self.curves.items()}


def choose(
    candidates: Mapping[str, Fit],
    loss: Loss,
    training: Any,
    valid: Any = None,
    *,
    test: Any,
    values: Mapping[str, Any] | None = None,
    folds: Any = None,
    batch_size: int | None = None,
    memory_limit: int = _program.MEMORY_LIMIT,
) -> Choice:
    """Choose the candidate of least cross-validation loss, fit it, and only then measure its test loss.

    Every candidate is one compiled program over its values and folds. A loss that is not finite never
    wins. The least of many cross-validation losses is too low an estimate of what comes: hence the test.

    Args:
        candidates: fits by name, as in `learning_curve`: degrees, features, architectures.
        loss: ``loss(outputs, targets) -> (examples,)``.
        training: a `Dataset`, or a pair (inputs, targets) of arrays.
        valid: the cross-validation set, in the same form; None with `folds`.
        test: the test set, in the same form.
        values: arrays (values, ...) by keyword, tried with every candidate; several are taken together.
        folds: `jaxdl.data.Folds` of `training`, or 0/1 training weights (folds, examples).
        batch_size: fits at once; see `learning_curve`.
        memory_limit: bytes of intermediate results; see `learning_curve`.

    Returns:
        The `Choice`. Its model is fitted on `training` alone, on all of it where there are folds.

    Raises:
        DtypeError: an argument has the wrong type.
        ShapeError: lengths differ, or the loss is not one value per example.
        ValueError: no candidate, none with a finite loss, or both or neither of `valid` and `folds`.
        FormatError: numbers that are not finite, or folds other than 0 and 1.

    Example:
        >>> def constant(level):
        ...     return lambda inputs, targets, *, weights: lambda x: jnp.full(len(x), level)
        >>> data = np.zeros((2, 1)), np.array([3.0, 3.0])
        >>> choice = choose({"one": constant(1.0), "two": constant(2.0)}, lambda a, b: (a - b) ** 2,
        ...                 data, data, test=data)
        >>> choice.name, choice.cv_losses, choice.test_loss
        ('two', {'one': 4.0, 'two': 1.0}, 1.0)
    """
    if not isinstance(candidates, Mapping) or not candidates:
        raise DtypeError(
            explain("choose", "candidates", got=f"{candidates!r}", expected="fits by name, at least one",
                    fix="candidates={'degree 2': fit}")
        )  # fmt: skip
    _examples.callables("choose", loss=loss, **{f"candidates[{name!r}]": f for name, f in candidates.items()})
    held = _examples.pair("choose", "test", test)
    curves = {}
    for name, fit in candidates.items():
        chosen, grid = (fit, values) if values is not None else (_Plain(fit), {"": np.zeros(1)})
        curves[name] = validation_curve(chosen, loss, training, valid, values=grid, folds=folds,
                                        batch_size=batch_size, memory_limit=memory_limit)  # fmt: skip
    losses = {name: _least(curve) for name, curve in curves.items()}
    if all(np.isnan(least) for least in losses.values()):
        raise ValueError(
            explain("choose", "candidates", got=f"{list(candidates)}, none with a finite loss",
                    expected="one candidate that can be fitted", fix="fit one of them alone and look")
        )  # fmt: skip
    winner = min(losses, key=lambda name: np.nan_to_num(losses[name], nan=np.inf))
    best = {} if values is None else {n: v for n, v in curves[winner].best.items() if n in values}
    data = _examples.pair("choose", "training", training)
    if held[0].shape[1:] != data[0].shape[1:] or held[1].shape[1:] != data[1].shape[1:]:
        raise ShapeError(
            explain("choose", "test", got=f"of shapes {held[0].shape} and {held[1].shape}",
                    expected=f"examples as in training, {data[0].shape} and {data[1].shape}",
                    fix="prepare both sets in the same way")
        )  # fmt: skip
    model = candidates[winner](*data, weights=jnp.ones(len(data[0])), **jax.tree.map(jnp.asarray, best))
    train_loss, test_loss = (
        float(jnp.mean(_examples.rows("choose", loss(model(inputs), targets), len(inputs))))
        for inputs, targets in (data, held)
    )
    return Choice(winner, best, model, curves, train_loss, losses[winner], test_loss)


@dataclasses.dataclass(frozen=True)
class _Plain:
    """A fit without hyperparameters, for a grid of one."""

    fit: Fit

    def __call__(self, inputs: Any, targets: Any, *, weights: Any, **nothing: Any) -> Any:
        return self.fit(inputs, targets, weights=weights)


def _least(curve: Curve) -> float:
    losses = curve.cv_losses.mean(axis=0)[-1]
    finite = losses[np.isfinite(losses)]
    return float(finite.min()) if len(finite) else float("nan")
