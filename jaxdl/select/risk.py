"""Structural risk: how the gap between test and training error falls with the number of examples."""

import dataclasses
from typing import Any

import numpy as np

from jaxdl import _checks
from jaxdl.errors import DtypeError, FormatError, ShapeError, explain

LEAST, MOST = 0.5, 1.0
_STEPS = 2000
_SHRINKS = 60


@dataclasses.dataclass(frozen=True)
class StructuralRisk:
    """The law ``E_test - E_train = k (h / P)^alpha``, fitted to measured errors.

    Attributes:
        k: the factor, in the unit of the errors.
        alpha: the exponent, in [0.5, 1].
        h: the capacity that was given.
        residual: root mean square of measured less fitted gaps, in the unit of the errors.
        at_bound: True where the best exponent lies at 0.5 or 1, as one outside would fit better.
    """

    k: float
    alpha: float
    h: float
    residual: float
    at_bound: bool

    def __call__(self, sizes: Any) -> Any:
        """Return the gap that is expected with `sizes` examples, a number or an array."""
        return self.k * (self.h / np.asarray(sizes, np.float64)) ** self.alpha

    def examples_for(self, gap: float) -> float:
        """Return the number of examples at which the gap is expected to have fallen to `gap`.

        Args:
            gap: test error less training error, positive.

        Returns:
            A number of examples, not rounded.

        Raises:
            ValueError: the gap is not positive and finite.
        """
        _checks.in_range("StructuralRisk.examples_for", "gap", gap, 1e-300, np.inf, "(0, inf)")
        return float(self.h * (self.k / gap) ** (1 / self.alpha))


def structural_risk(sizes: Any, train_errors: Any, test_errors: Any, *, h: float) -> StructuralRisk:
    """Fit ``E_test - E_train = k (h / P)^alpha`` with 0.5 <= alpha <= 1 by least squares.

    For each alpha the best k is known in closed form; alpha is searched on the host, in float64. Only the
    product ``k h^alpha`` is measured: k means something for the h that is given.

    Args:
        sizes: numbers of training examples P, (sizes,), positive, at least two different ones.
        train_errors: mean training errors (sizes,).
        test_errors: mean test or cross-validation errors (sizes,), in the same unit.
        h: capacity of the machine (its effective number of parameters), positive.

    Returns:
        The `StructuralRisk`, callable on further sizes.

    Raises:
        DtypeError: an argument is not of numbers.
        ShapeError: the lengths differ.
        FormatError: errors that are not finite.
        ValueError: sizes or h that are not positive, one size alone, or test errors that are lower than the
            training errors altogether, where no positive k fits.

    Example:
        >>> sizes = np.array([100, 200, 400, 800])
        >>> gap = 2.0 * (10 / sizes) ** 0.75
        >>> risk = structural_risk(sizes, 0.1 - gap / 2, 0.1 + gap / 2, h=10)
        >>> round(risk.k, 6), round(risk.alpha, 6), round(risk.examples_for(0.1))
        (2.0, 0.75, 543)

    Reference:
        LeCun, Bottou, Bengio and Haffner (1998), equation 1, after Vapnik (1995).
    """
    size, low, high = (
        _curve(name, values)
        for name, values in (("sizes", sizes), ("train_errors", train_errors), ("test_errors", test_errors))
    )
    if not size.shape == low.shape == high.shape:
        raise ShapeError(
            explain("structural_risk", "test_errors", got=f"of shape {high.shape}, train_errors {low.shape}",
                    expected=f"one error a size, {size.shape}", fix="take the mean over folds first")
        )  # fmt: skip
    _checks.in_range("structural_risk", "h", h, 1e-300, np.inf, "(0, inf)")
    if (size <= 0).any() or len(np.unique(size)) < 2:
        raise ValueError(
            explain("structural_risk", "sizes", got=size.tolist(), expected="positive numbers, two or more",
                    fix="measure a learning curve of several sizes")
        )  # fmt: skip
    gaps, ratio = high - low, h / size
    alpha = _best_exponent(ratio, gaps)
    k, rest = _factor(ratio, gaps, alpha)
    if not k > 0:
        raise ValueError(
            explain("structural_risk", "test_errors", got="below the training errors altogether",
                    expected="a positive gap", fix="check that the order is sizes, training, test")
        )  # fmt: skip
    at_bound = min(alpha - LEAST, MOST - alpha) < 1e-6
    return StructuralRisk(float(k), float(alpha), float(h), float(np.sqrt(rest / len(size))), bool(at_bound))


def _factor(ratio: np.ndarray, gaps: np.ndarray, alpha: float) -> tuple[float, float]:
    """Return the best k for an exponent, and the sum of squares that is left."""
    powers = ratio**alpha
    k = powers @ gaps / (powers @ powers)
    return k, float(np.sum((gaps - k * powers) ** 2))


def _best_exponent(ratio: np.ndarray, gaps: np.ndarray) -> float:
    """Search a fine grid, since the sum of squares may have two minima, then shrink around its best."""
    grid = np.linspace(LEAST, MOST, _STEPS + 1)
    best = grid[int(np.argmin([_factor(ratio, gaps, alpha)[1] for alpha in grid]))]
    width = grid[1] - grid[0]
    for _ in range(_SHRINKS):
        around = np.clip(best + width * np.array([-1, -0.5, 0, 0.5, 1]), LEAST, MOST)
        best = around[int(np.argmin([_factor(ratio, gaps, alpha)[1] for alpha in around]))]
        width /= 2
    return float(best)


def _curve(name: str, values: Any) -> np.ndarray:
    found = np.asarray(values)
    if found.dtype.kind not in "iuf":
        raise DtypeError(
            explain("structural_risk", name, got=f"of dtype {found.dtype}", expected="real numbers",
                    fix="pass an array of numbers")
        )  # fmt: skip
    if found.ndim != 1 or found.size == 0:
        raise ShapeError(
            explain("structural_risk", name, got=f"of shape {found.shape}", expected="(sizes,)",
                    fix="take one curve at a time")
        )  # fmt: skip
    if not np.isfinite(found).all():
        raise FormatError(
            explain("structural_risk", name, got="not finite", expected="finite numbers",
                    fix="leave the sizes out whose fit failed")
        )  # fmt: skip
    return found.astype(np.float64)
