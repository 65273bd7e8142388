"""Scaling of inputs: fitted on training data, applied to NumPy arrays or inside the compiled step."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import DtypeError, FormatError, ShapeError, explain


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Scaling:
    """An affine scaling ``x -> (x - offset) * factor``, in float32.

    Attributes:
        offset: subtracted; a scalar or one value a feature.
        factor: multiplied; a scalar or one value a feature.

    Example:
        >>> pixels()(np.array([0, 255], np.uint8)).tolist()
        [0.0, 1.0]
    """

    offset: jax.Array
    factor: jax.Array

    def __call__(self, x: Any) -> jax.Array:
        """Scale `x` (batch, ...), of any numeric dtype, to float32 of the same shape."""
        x, offset, factor = self._fitted("x", x)
        return (x - offset) * factor

    def undo(self, scaled: Any) -> jax.Array:
        """Return ``scaled / factor + offset`` (batch, ...); constant features become their constant."""
        scaled, offset, factor = self._fitted("scaled", scaled)
        return jnp.where(factor == 0, 0, scaled / jnp.where(factor == 0, 1, factor)) + offset

    def _fitted(self, name: str, x: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
        if isinstance(x, Mapping):
            raise DtypeError(
                explain("Scaling", name, got=f"a dict of {sorted(x)}",
                        expected="an array, for a Scaling alone",
                        fix="scaling=jax.tree_util.Partial(function, this) with a function of (this, dict) "
                        "such as {**x, 'sequence': this(x['sequence'])}; or scale before the training")
            )  # fmt: skip
        x = _checks.array("Scaling", name, x).astype(jnp.float32)
        shape = jnp.shape(self.factor)
        if x.shape[x.ndim - len(shape) :] != shape:
            raise ShapeError(
                explain("Scaling", name, got=f"of shape {x.shape}", expected=f"features of shape {shape}",
                        fix="fit the scaling on data of the same features")
            )  # fmt: skip
        return x, jnp.broadcast_to(self.offset, x.shape), jnp.broadcast_to(self.factor, x.shape)


def pixels(*, highest: float = 255.0) -> Scaling:
    """Scale pixels from [0, highest] to [0, 1]: ``x / highest``.

    Args:
        highest: largest pixel value, positive: 255 for bytes, 16 for scikit-learn's digits.

    Returns:
        The `Scaling`.

    Raises:
        ValueError: `highest` is not positive and finite.

    Example:
        >>> float(pixels(highest=16)(np.float32(4)))
        0.25
    """
    _checks.in_range("pixels", "highest", highest, 1e-30, np.inf, "(0, inf)")
    return Scaling(jnp.float32(0), jnp.float32(1 / highest))


def imagenet(
    *,
    mean: Sequence[float] = (0.485, 0.456, 0.406),
    std: Sequence[float] = (0.229, 0.224, 0.225),
    highest: float = 255.0,
) -> Scaling:
    """Scale pixels as networks trained on ImageNet expect them: ``(x / highest - mean) / std``.

    torchvision's published networks were trained on images whose shorter side was brought to 256 pixels
    (232 for ``"IMAGENET1K_V2"``), of which they saw the middle 224 x 224; `jaxdl.weights.torchvision_scaling`
    tells the two that want other numbers.

    Args:
        mean: mean of each channel, in units of the highest value: red, green, blue by default.
        std: standard deviation of each channel, likewise.
        highest: largest pixel value, positive: 255 for bytes, 1 for what is scaled to [0, 1] already.

    Returns:
        The `Scaling` of images (..., height, width, channels).

    Raises:
        ValueError: a mean that is not finite, a deviation or a highest value that is not positive and finite,
            or as many means as there are not deviations.

    Example:
        >>> imagenet()(np.full((1, 1, 3), 255, np.uint8)).tolist()
        [[[2.248..., 2.428..., 2.639...]]]

    Reference:
        Equals ``torchvision.transforms.Normalize`` after ``ToTensor``, but for the place of the channels.
    """
    if len(mean) != len(std) or not len(mean):
        raise ValueError(explain("imagenet", "std", got=f"of {len(std)} channels",
                                 expected=f"as many as 'mean' has, {len(mean)}, and one at least",
                                 fix="pass one value a channel in both"))  # fmt: skip
    _checks.in_range("imagenet", "highest", highest, 1e-30, np.inf, "(0, inf)")
    for middle, width in zip(mean, std):
        _checks.in_range("imagenet", "mean", middle, -1e30, 1e30, "(-inf, inf)")
        _checks.in_range("imagenet", "std", width, 1e-30, np.inf, "(0, inf)")
    factor = 1 / (highest * np.asarray(std, np.float64))
    return Scaling(jnp.asarray(highest * np.asarray(mean), jnp.float32), jnp.asarray(factor, jnp.float32))


def z_score(inputs: Any) -> Scaling:
    """Scale each feature to mean 0 and standard deviation 1: ``(x - mean) / std`` with ddof 0.

    A constant feature becomes exactly 0; nothing is divided by zero.

    Args:
        inputs: training inputs (examples, ...), read in float64.

    Returns:
        The `Scaling`, to be applied to training and test inputs alike.

    Raises:
        DtypeError: not numbers.
        ShapeError: no example.
        FormatError: inputs that are not finite, or whose scale does not fit float32, or whose spread is
            below 1e-4 of their values, where float32 would round it away.

    Example:
        >>> z_score(np.array([[1.0, 5.0], [3.0, 5.0]]))(np.array([[1.0, 5.0]])).tolist()
        [[-1.0, 0.0]]

    Reference:
        Equals ``sklearn.preprocessing.StandardScaler``.
    """
    values = _training("z_score", inputs)
    mean, std = values.mean(axis=0), values.std(axis=0)
    constant = std <= 1e-12 * np.maximum(np.abs(mean), 1e-300)
    return _inverse_of("z_score", mean, std, width=np.where(constant, np.inf, std), constant=constant)


def mean_normalisation(inputs: Any) -> Scaling:
    """Scale each feature to mean 0 and range 1: ``(x - mean) / (max - min)``.

    A constant feature becomes exactly 0; nothing is divided by zero.

    Args:
        inputs: training inputs (examples, ...), read in float64.

    Returns:
        The `Scaling`, to be applied to training and test inputs alike.

    Raises:
        DtypeError: not numbers.
        ShapeError: no example.
        FormatError: inputs that are not finite, or whose scale does not fit float32, or whose spread is
            below 1e-4 of their values, where float32 would round it away.

    Example:
        >>> mean_normalisation(np.array([[1.0], [2.0], [3.0]]))(np.array([[1.0], [2.5]])).tolist()
        [[-0.5], [0.25]]
    """
    values = _training("mean_normalisation", inputs)
    spread = values.max(axis=0) - values.min(axis=0)
    mean, constant = values.mean(axis=0), spread == 0
    width = np.where(constant, np.inf, spread)
    return _inverse_of("mean_normalisation", mean, spread, width=width, constant=constant)


def min_max(inputs: Any, *, low: float = 0.0, high: float = 1.0) -> Scaling:
    """Scale each feature to a new range: ``(x - min) / (max - min) * (high - low) + low``.

    A constant feature becomes `low`, and is not stretched. Test inputs may leave the range.

    Args:
        inputs: training inputs (examples, ...), read in float64.
        low: what the least training value becomes.
        high: what the greatest becomes, above `low`.

    Returns:
        The `Scaling`, to be applied to training and test inputs alike.

    Raises:
        DtypeError: not numbers.
        ShapeError: no example.
        FormatError: inputs that are not finite, or whose scale does not fit float32, or whose spread is
            below 1e-4 of their values, where float32 would round it away.
        ValueError: `low` is not below `high`, or not finite.

    Example:
        >>> min_max(np.array([[2.0], [4.0]]), low=-1.0)(np.array([[2.0], [3.0], [4.0]])).tolist()
        [[-1.0], [0.0], [1.0]]

    Reference:
        Equals ``sklearn.preprocessing.MinMaxScaler(feature_range=(low, high))``.
    """
    _checks.in_range("min_max", "low", low, -1e30, 1e30, "(-1e30, 1e30)")
    _checks.in_range("min_max", "high", high, np.nextafter(low, np.inf), 1e30, f"({low}, 1e30)")
    values = _training("min_max", inputs)
    least, spread = values.min(axis=0), values.max(axis=0) - values.min(axis=0)
    step = np.where(spread == 0, 1.0, spread) / (high - low)
    # A constant feature has no width to keep, but the way from the offset up to `low`.
    width = np.where(spread == 0, np.abs(low) * step if low else np.inf, spread)
    return _inverse_of("min_max", least - low * step, step, width=width, constant=np.zeros_like(spread, bool))


def decimal(inputs: Any) -> Scaling:
    """Move the decimal point of each feature: ``x / 10^j``, the smallest j >= 0 with every ``|x| < 1``.

    Powers are compared exactly, not through a floating logarithm: a largest value of 100 has j = 3. Features
    below 1 already stay as they are.

    Args:
        inputs: training inputs (examples, ...), read in float32, in which they are scaled.

    Returns:
        The `Scaling`, to be applied to training and test inputs alike.

    Raises:
        DtypeError: not numbers.
        ShapeError: no example.
        FormatError: inputs that are not finite in float32.

    Example:
        >>> decimal(np.array([[99.0, 100.0], [-1.0, 0.5]])).factor.round(6).tolist()
        [0.009999999776482582, 0.0010000000474974513]
    """
    values = _training("decimal", inputs)
    largest = np.abs(values).max(axis=0)
    if np.max(largest) > np.finfo(np.float32).max:
        raise FormatError(explain("decimal", "inputs", got="too large for float32", expected="below 3e38",
                                  fix="change the unit first"))  # fmt: skip
    factor = np.array([_point(value) for value in largest.astype(np.float32).ravel()], np.float32).reshape(
        largest.shape
    )
    return Scaling(jnp.zeros_like(jnp.asarray(factor)), jnp.asarray(factor))


def _point(largest: np.float32) -> np.float32:
    places = 0
    while float(largest) >= 10**places:  # Python compares a float and a whole number exactly
        places += 1
    factor = np.float32(10.0**-places)
    # The power itself is rounded: 999.99994 times float32(0.001) would be 1.
    return factor if largest * factor < 1 else np.nextafter(factor, np.float32(0))


def _training(op: str, inputs: Any) -> np.ndarray:
    values = np.asarray(inputs)
    if values.dtype.kind not in "biuf":
        raise DtypeError(
            explain(op, "inputs", got=f"of dtype {values.dtype}", expected="real numbers",
                    fix="encode them as numbers first")
        )  # fmt: skip
    values = values.astype(np.float64)
    if values.ndim < 1 or len(values) == 0:
        raise ShapeError(
            explain(op, "inputs", got=f"of shape {values.shape}",
                    expected="(examples, ...) with at least one example", fix="pass training inputs")
        )  # fmt: skip
    if not np.isfinite(values).all():
        raise FormatError(
            explain(op, "inputs", got="not finite", expected="finite numbers",
                    fix="drop or fill in those rows")
        )  # fmt: skip
    return values


def _inverse_of(
    op: str, offset: np.ndarray, spread: np.ndarray, *, width: np.ndarray, constant: np.ndarray
) -> Scaling:
    """Return the scaling ``(x - offset) / spread``, 0 where the feature is constant.

    `width` is what the subtraction, in float32, must tell apart.
    """
    factor = np.where(constant, 0.0, 1 / np.where(constant, 1.0, spread))
    if np.max(np.abs([offset, factor])) > np.finfo(np.float32).max:
        raise FormatError(
            explain(op, "inputs", got="too large or too narrow for float32",
                    expected="offsets and factors below 3e38", fix="change the unit first")
        )  # fmt: skip
    if np.any(width < 1e3 * np.finfo(np.float32).eps * np.abs(offset)):
        raise FormatError(
            explain(op, "inputs", got="too far from 0 for float32, in which they are scaled",
                    expected="a spread above 1e-4 of the values",
                    fix="change the unit or subtract a constant first")
        )  # fmt: skip
    return Scaling(jnp.asarray(offset, jnp.float32), jnp.asarray(factor, jnp.float32))
