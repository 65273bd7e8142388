"""Initialisers: each call returns ``init(key, shape, dtype)``, the form that flax and jax take.

The fan-in n_in of a kernel (..., in, out) counts its inputs times its receptive field, n_out likewise.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_batching import sequential_vmap

from jaxdl import _checks
from jaxdl.errors import DtypeError, ShapeError, explain

Initializer = Callable[..., jax.Array]
DISTRIBUTIONS = ("normal", "truncated_normal", "uniform")
LIBRARIES = ("torch", "keras", "flax")


def zeros() -> Initializer:
    """All zeros, right for biases: hidden layers of zeros keep their units identical for ever.

    Units with equal weights get equal gradients, so no step of training tells them apart.

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


def uniform(*, limit: float = 0.05) -> Initializer:
    """Uniform of a fixed width: ``w ~ U(-limit, limit)``, of variance ``limit^2 / 3``, whatever the fans are.

    Args:
        limit: half the width, not negative.

    Returns:
        ``init(key, shape, dtype) -> array``.

    Raises:
        ValueError: `limit` is negative or not finite.

    Example:
        >>> import jax
        >>> bool(abs(uniform(limit=0.3)(jax.random.key(0), (100, 100)).var() - 0.03) < 1e-3)
        True

    Reference:
        Equals ``torch.nn.init.uniform_(w, -limit, limit)`` and Keras's ``RandomUniform`` in distribution.
    """
    _checks.in_range("uniform", "limit", limit, 0, float("inf"), "[0, inf)")

    def init(key: jax.Array, shape: Any, dtype: Any = jnp.float32) -> jax.Array:
        return jax.random.uniform(_checks.key("uniform", key), shape, dtype, -limit, limit)

    return init


def lecun(*, distribution: str = "normal") -> Initializer:
    """Variance ``1 / n_in``: keeps the variance through linear and tanh layers.

    Its standard deviation is sqrt(1 / n_in); `xavier` knows the same rule by another name.

    Args:
        distribution: ``"normal"``, ``"truncated_normal"`` (cut at two standard deviations, as jax and
            Keras draw it, rescaled to the same variance) or ``"uniform"``.

    Returns:
        ``init(key, shape, dtype) -> array`` for shapes of rank 2 or more.

    Raises:
        ValueError: unknown distribution.
        ShapeError: when called, a shape of rank below 2 or with an axis of 0.

    Example:
        >>> import jax
        >>> bool(abs(lecun()(jax.random.key(0), (400, 100)).var() * 400 - 1) < 0.05)
        True

    Reference:
        LeCun et al., Efficient BackProp (1998).
    """
    return _scaled("lecun", 1.0, "fan_in", distribution)


def he(*, distribution: str = "normal") -> Initializer:
    """Variance ``2 / n_in``: keeps the second moment through ReLU layers.

    Args:
        distribution: ``"normal"``, ``"truncated_normal"`` or ``"uniform"``.

    Returns:
        ``init(key, shape, dtype) -> array`` for shapes of rank 2 or more.

    Raises:
        ValueError: unknown distribution.
        ShapeError: when called, a shape of rank below 2 or with an axis of 0.

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

    Some texts print ``2 / (n_in * n_out)``. That product is wrong: a layer of 300 inputs and 100 outputs
    would get weights 75 times too small in variance, and signals would fade by that factor a layer.

    Args:
        distribution: ``"normal"``, ``"truncated_normal"`` or ``"uniform"``.

    Returns:
        ``init(key, shape, dtype) -> array`` for shapes of rank 2 or more.

    Raises:
        ValueError: unknown distribution.
        ShapeError: when called, a shape of rank below 2 or with an axis of 0.

    Example:
        >>> import jax
        >>> bool(abs(glorot()(jax.random.key(0), (300, 100)).var() * 200 - 1) < 0.05)
        True

    Reference:
        Glorot and Bengio (2010). ``"uniform"`` equals ``torch.nn.init.xavier_uniform_`` in distribution.
    """
    return _scaled("glorot", 1.0, "fan_avg", distribution)


def xavier(*, fans: str = "in_and_out", distribution: str = "normal") -> Initializer:
    """Either rule called Xavier: ``2 / (n_in + n_out)`` as libraries have it, or ``1 / n_in`` for tanh.

    Args:
        fans: which fans set the variance: ``"in_and_out"`` (that of `glorot`, what libraries call Xavier)
            or ``"in"`` (standard deviation sqrt(1 / n_in), that of `lecun`, which courses call "Xavier
            for tanh").
        distribution: ``"normal"``, ``"truncated_normal"`` or ``"uniform"``.

    Returns:
        ``init(key, shape, dtype) -> array`` for shapes of rank 2 or more.

    Raises:
        ValueError: unknown fans or distribution.
        ShapeError: when called, a shape of rank below 2 or with an axis of 0.

    Example:
        >>> import jax
        >>> bool(abs(xavier(fans="in")(jax.random.key(0), (400, 100)).var() * 400 - 1) < 0.05)
        True

    Reference:
        Glorot and Bengio (2010), equations 12 and 16: ``1 / n`` is their rule where n_in = n_out.
    """
    _checks.one_of("xavier", "fans", fans, ("in_and_out", "in"))
    return _scaled("xavier", 1.0, "fan_in" if fans == "in" else "fan_avg", distribution)


def orthogonal(*, gain: float = 1.0) -> Initializer:
    """Rows or columns orthogonal, ``w^T w = gain^2 I`` where n_out <= n_in: every singular value is `gain`.

    Args:
        gain: the singular values, not negative; sqrt(2) suits ReLU.

    Returns:
        ``init(key, shape, dtype) -> array`` for shapes of rank 2 or more; all axes but the last count as one.

    Raises:
        ValueError: `gain` is negative or not finite.
        ShapeError: when called, a shape of rank below 2 or with an axis of 0.

    Example:
        >>> import jax
        >>> w = orthogonal()(jax.random.key(0), (5, 3))
        >>> bool(abs(w.T @ w - jnp.eye(3)).max() < 1e-5)
        True

    Reference:
        Saxe et al. (2014). Equals ``torch.nn.init.orthogonal_`` in distribution.
    """
    _checks.in_range("orthogonal", "gain", gain, 0, float("inf"), "[0, inf)")

    def draw(key: jax.Array, shape: Any, dtype: Any) -> jax.Array:
        # The factorisation behind it knows no half precision.
        wide = jnp.float64 if dtype == jnp.float64 else jnp.float32
        # One matrix at a time. jaxlib cuts a batch of factorisations into tasks for the pool of threads that
        # they run on themselves: as many batches at once as there are cores wait for each other forever.
        one = sequential_vmap(lambda key: jax.nn.initializers.orthogonal(gain)(key, shape, wide))
        return one(key).astype(dtype)

    return _checked("orthogonal", draw)


def library_default(library: str = "torch", *, inputs: int | None = None) -> Initializer:
    """What a library gives the kernel of a dense layer when nobody asks for anything else.

    ``"torch"``: ``U(-1/sqrt(n_in), 1/sqrt(n_in))``, of variance ``1 / (3 n_in)``, for kernels and, given
    `inputs`, for biases. ``"keras"``: Glorot's uniform. ``"flax"``: LeCun's truncated normal. Both start
    biases at 0.

    Args:
        library: ``"torch"``, ``"keras"`` or ``"flax"``.
        inputs: n_in of the layer, for torch's bias, whose shape does not tell; None reads it off the kernel.

    Returns:
        ``init(key, shape, dtype) -> array`` for shapes of rank 2 or more; of any rank when `inputs` is given.

    Raises:
        ValueError: unknown library, `inputs` below 1, or `inputs` for another library than torch.
        DtypeError: `inputs` is no whole number.
        ShapeError: when called, a shape of rank below 2 or with an axis of 0.

    Example:
        >>> import jax
        >>> w = library_default("torch")(jax.random.key(0), (400, 100))
        >>> bool(abs(w.var() * 1200 - 1) < 0.05), bool(abs(w).max() <= 1 / 20)
        (True, True)

    Reference:
        The distributions of ``torch.nn.Linear``, ``keras.layers.Dense`` and ``flax.nnx.Linear``.
    """
    _checks.one_of("library_default", "library", library, LIBRARIES)
    if inputs is not None:
        _checks.one_of("library_default", "library (with inputs)", library, ("torch",))
        return uniform(limit=_checks.positive_integer("library_default", "inputs", inputs) ** -0.5)
    scale, fan, distribution = {
        "torch": (1 / 3, "fan_in", "uniform"),
        "keras": (1.0, "fan_avg", "uniform"),
        "flax": (1.0, "fan_in", "truncated_normal"),
    }[library]
    return _scaled("library_default", scale, fan, distribution)


def _scaled(op: str, scale: float, fan: Any, distribution: Any) -> Initializer:
    _checks.one_of(op, "distribution", distribution, DISTRIBUTIONS)
    return _checked(op, jax.nn.initializers.variance_scaling(scale, fan, distribution, dtype=jnp.float32))


def _checked(op: str, draw: Initializer) -> Initializer:
    """Check key, shape and dtype before a draw that needs fans."""

    def init(key: jax.Array, shape: Any, dtype: Any = jnp.float32) -> jax.Array:
        sizes = tuple(np.atleast_1d(shape).tolist())
        if len(sizes) < 2 or 0 in sizes:
            raise ShapeError(
                explain(op, "shape", got=sizes, expected="(..., in, out), no axis of 0",
                        fix="draw biases with initializers.zeros() or .normal()")
            )  # fmt: skip
        if not jnp.issubdtype(dtype, jnp.floating):
            raise DtypeError(
                explain(op, "dtype", got=dtype, expected="a floating dtype", fix="dtype=jnp.float32")
            )
        return draw(_checks.key(op, key), sizes, dtype)

    return init
