"""The pixels that a class score hangs on."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain

MAPS = ("gradient", "input_times_gradient")


def saliency(
    net: Any,
    params: Any,
    state: Any,
    x: Any,
    *,
    target: Any = None,
    of: str = "gradient",
    samples: int = 0,
    noise: float | jax.Array = 0.1,
    key: jax.Array | None = None,
    hyper: Mapping[str, Any] | None = None,
) -> jax.Array:
    """Show the pixels that a class score hangs on: ``max_c |d logit_t / d x_c|`` over the channels c.

    With `samples`, SmoothGrad: the gradient is the mean over copies of the image with Gaussian noise, taken
    before the absolute value. ``of="input_times_gradient"`` takes ``|x_c d logit_t / d x_c|``.

    Args:
        net: a network that returns logits (batch, classes), which is run in evaluation mode.
        params: its parameters.
        state: its state.
        x: inputs as the network takes them, (batch, space..., channels), floating.
        target: class t of each example, integers (batch,) or one; None: that of the highest logit.
        of: ``"gradient"`` or ``"input_times_gradient"``.
        samples: noisy copies; 0: none, the plain gradient.
        noise: standard deviation of the noise, as a share of each example's highest less lowest entry.
        key: of the noise; needed with `samples`.
        hyper: hyperparameters that the network reads.

    Returns:
        Map (batch, space...), not scaled; NaN where a traced target is out of range.

    Raises:
        TypeError: `net` is no network.
        DtypeError: `x` is not floating, `target` not whole, or no key.
        ShapeError: no spatial axes, targets of another length, or outputs that are not (batch, classes).
        ValueError: a target or number out of range, or an unknown kind.

    Example:
        >>> from jaxdl.net import from_pair
        >>> net = from_pair(lambda key: {"w": jnp.array([[1.0], [-3.0]])},
        ...                 lambda params, x: x.reshape(len(x), -1) @ params["w"])
        >>> saliency(net, *net.init(jax.random.key(0)), jnp.ones((1, 2, 1)), target=0).tolist()
        [[1.0, 3.0]]

    Reference:
        Simonyan, Vedaldi and Zisserman, Deep inside convolutional networks (2014), arXiv:1312.6034;
        Smilkov et al., SmoothGrad (2017), arXiv:1706.03825.
    """
    x, samples = _saliency_arguments(net, x, of, samples, noise)
    hyper = dict(hyper or {})

    def logits(inputs: jax.Array) -> Any:
        return net.apply(params, state, inputs, train=False, hyper=hyper)[0]

    labels, poison = _target(logits, x, target)

    @jax.grad
    def gradient(inputs: jax.Array) -> jax.Array:
        return jnp.sum(jnp.take_along_axis(logits(inputs), labels[:, None], axis=1))

    smooth = partial(_smooth, gradient, samples=samples, noise=noise, key=key)
    slope = smooth(x) if samples else gradient(x)
    slope = slope * x if of == MAPS[1] else slope
    return jnp.max(jnp.abs(slope), axis=-1) * jnp.expand_dims(poison, tuple(range(1, x.ndim - 1)))


def _smooth(gradient: Any, x: jax.Array, *, samples: int, noise: Any, key: Any) -> jax.Array:
    keys = jax.random.split(_checks.key("saliency", key), samples)
    axes = tuple(range(1, x.ndim))
    spread = noise * (x.max(axes, keepdims=True) - x.min(axes, keepdims=True))

    def add(total: jax.Array, each: jax.Array) -> tuple[jax.Array, None]:
        noisy = x + jnp.broadcast_to(spread, x.shape) * jax.random.normal(each, x.shape, x.dtype)
        return total + gradient(noisy) / samples, None

    return lax.scan(add, jnp.zeros_like(x), keys)[0]


def _target(logits: Any, x: jax.Array, target: Any) -> tuple[jax.Array, jax.Array]:
    """Return the class of each example, in range, and 1, or NaN where it was not."""
    shape = jax.eval_shape(logits, x).shape
    if len(shape) != 2 or shape[0] != len(x):
        raise ShapeError(
            explain("saliency", "net", got=f"a network with outputs {shape}",
                    expected="logits (batch, classes)", fix="leave out what comes after the logits")
        )  # fmt: skip
    if target is None:
        return jnp.argmax(logits(x), axis=1), jnp.ones(len(x), x.dtype)
    labels = _checks.widened(_checks.integer("saliency", "target", target))
    if labels.shape not in ((), (len(x),)):
        raise ShapeError(explain("saliency", "target", got=f"of shape {labels.shape}",
                                 expected=f"() or ({len(x)},)", fix="one class an example"))  # fmt: skip
    inside = (labels >= 0) & (labels < shape[1])
    if not isinstance(inside, jax.core.Tracer) and not np.all(np.asarray(inside)):
        raise ValueError(
            explain("saliency", "target", got=np.asarray(labels).tolist(),
                    expected=f"classes from 0 to {shape[1] - 1}", fix="pass class numbers")
        )  # fmt: skip
    labels, inside = (jnp.broadcast_to(part, (len(x),)) for part in (labels, inside))
    return jnp.clip(labels, 0, shape[1] - 1), jnp.where(inside, 1, jnp.nan).astype(x.dtype)


def _saliency_arguments(net: Any, x: Any, of: str, samples: Any, noise: Any) -> tuple[jax.Array, int]:
    if not callable(getattr(net, "apply", None)):
        raise TypeError(explain("saliency", "net", got=f"a {type(net).__name__}", expected="a jaxdl.net.Net",
                                fix="jaxdl.net.functional(lambda rngs: ...)"))  # fmt: skip
    x = _checks.floating("saliency", "x", x)
    _checks.rank_at_least("saliency", "x", x, 3, "(batch, space..., channels)")
    _checks.one_of("saliency", "of", of, MAPS)
    _checks.in_range("saliency", "noise", noise, 0, float("inf"), "[0, inf)")
    return x, _checks.positive_integer("saliency", "samples", samples, least=0)
