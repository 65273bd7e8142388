"""Initialisers: each call returns ``init(key, shape, dtype)``, the form that flax and jax take.

The fan-in n_in of a kernel (..., in, out) counts its inputs times its receptive field, n_out likewise.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxdl import _checks

Initializer = Callable[..., jax.Array]
DISTRIBUTIONS = ("normal", "truncated_normal", "uniform")


def zeros() -> Initializer:
    """All zeros: right for biases; a dense layer of zeros keeps its units identical for ever.

    Returns:
        ``init(key, shape, dtype) -> array``.

    Example:
        >>> import jax
        >>> zeros()(jax.random.key(0), (2,)).tolist()
        [0.0, 0.0]

    Reference:
        Equals ``torch.nn.init.zeros_``.
    """
    return jax.nn.initializers.zeros


def normal(*, stddev: float = 0.01) -> Initializer:
    """Gaussian of a fixed width: ``w ~ N(0, stddev^2)``, whatever the fans are.

    Args:
        stddev: standard deviation, not negative.

    Returns:
        ``init(key, shape, dtype) -> array``.

    Raises:
        ValueError: `stddev` is negative or not finite.

    Example:
        >>> import jax
        >>> bool(abs(normal()(jax.random.key(0), (100, 100)).std() - 0.01) < 1e-3)
        True

    Reference:
        Equals ``torch.nn.init.normal_`` in distribution.
    """
    _checks.in_range("normal", "stddev", stddev, 0, float("inf"), "[0, inf)")
    return jax.nn.initializers.normal(stddev)


def lecun(*, distribution: str = "normal") -> Initializer:
    """Variance ``1 / n_in``: keeps the variance through linear and tanh layers.

    Some texts call this sqrt(1/n) rule "Xavier for tanh".

    Args:
        distribution: ``"normal"``, ``"truncated_normal"`` (cut at two standard deviations, as jax and
            Keras draw it, rescaled to the same variance) or ``"uniform"``.

    Returns:
        ``init(key, shape, dtype) -> array`` for shapes of rank 2 or more.

    Raises:
        ValueError: unknown distribution.

    Example:
        >>> import jax
        >>> bool(abs(lecun()(jax.random.key(0), (400, 100)).var() * 400 - 1) < 0.05)
        True

    Reference:
        LeCun et al., Efficient BackProp (1998).
    """
    return _scaled("lecun", 1.0, "fan_in", distribution)


def he(*, distribution: str = "normal") -> Initializer:
    """Variance ``2 / n_in``: keeps the variance through ReLU layers.

    Args:
        distribution: ``"normal"``, ``"truncated_normal"`` or ``"uniform"``.

    Returns:
        ``init(key, shape, dtype) -> array`` for shapes of rank 2 or more.

    Raises:
        ValueError: unknown distribution.

    Example:
        >>> import jax
        >>> bool(abs(he()(jax.random.key(0), (400, 100)).var() * 400 - 2) < 0.1)
        True

    Reference:
        He et al. (2015). ``"normal"`` equals ``torch.nn.init.kaiming_normal_`` in distribution,
        ``"truncated_normal"`` equals ``jax.nn.initializers.he_normal``.
    """
    return _scaled("he", 2.0, "fan_in", distribution)


def glorot(*, distribution: str = "normal") -> Initializer:
    """Variance ``2 / (n_in + n_out)``: a compromise between the forward and the backward pass.

    Args:
        distribution: ``"normal"``, ``"truncated_normal"`` or ``"uniform"``.

    Returns:
        ``init(key, shape, dtype) -> array`` for shapes of rank 2 or more.

    Raises:
        ValueError: unknown distribution.

    Example:
        >>> import jax
        >>> bool(abs(glorot()(jax.random.key(0), (300, 100)).var() * 200 - 1) < 0.05)
        True

    Reference:
        Glorot and Bengio (2010). ``"uniform"`` equals ``torch.nn.init.xavier_uniform_`` in distribution.
    """
    return _scaled("glorot", 1.0, "fan_avg", distribution)


def _scaled(op: str, scale: float, fan: Any, distribution: Any) -> Initializer:
    _checks.one_of(op, "distribution", distribution, DISTRIBUTIONS)
    return jax.nn.initializers.variance_scaling(scale, fan, distribution, dtype=jnp.float32)
