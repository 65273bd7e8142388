"""The arguments of `transfer`, checked."""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxdl import _checks, optim
from jaxdl.errors import DtypeError, ShapeError, explain
from jaxdl.net import require

STARTS = ("content", "noise")


def check_net(net: Any) -> None:
    """Raise unless `net` is a network whose outputs inside can be seen."""
    require("transfer", net)
    if net.trace is None:
        raise TypeError(
            explain("transfer", "net", got="a Net whose outputs inside cannot be seen",
                    expected="a Net of net.functional or net.from_linen", fix="jaxdl.net.functional")
        )  # fmt: skip


def picture(name: str, given: Any, low: float, high: float) -> jax.Array:
    """Return a picture (height, width, channels) with pixels in [low, high]."""
    value = _checks.floating("transfer", name, given)
    if value.ndim != 3 or not value.size:
        raise ShapeError(
            explain("transfer", name, got=f"of shape {value.shape}", expected="(height, width, channels)",
                    fix=f"{name}[..., None]" if value.ndim == 2 else f"{name}[0] of a batch")
        )  # fmt: skip
    _checks.in_range("transfer", "low", low, -float("inf"), high, f"(-inf, {high})")
    if not bool(jnp.all(jnp.isfinite(value))):
        raise ValueError(explain("transfer", name, got="not finite everywhere", expected="finite pixels",
                                 fix=f"look for them with jnp.isfinite({name})"))  # fmt: skip
    if not bool(jnp.all((value >= low) & (value <= high))):
        raise ValueError(
            explain("transfer", name, got=f"from {float(value.min()):g} to {float(value.max()):g}",
                    expected=f"pixels from {low:g} to {high:g}",
                    fix=f"{name} / 255 for bytes, or low= and high=")
        )  # fmt: skip
    return value


def check_channels(content: jax.Array, style: jax.Array) -> None:
    """Raise `ShapeError` unless both pictures have the same channels."""
    if content.shape[2] != style.shape[2]:
        raise ShapeError(
            explain("transfer", "style", got=f"of shape {style.shape}",
                    expected=f"{content.shape[2]} channels, as 'content'", fix="np.repeat(grey, 3, axis=2)")
        )  # fmt: skip


def first_picture(start: Any, content: jax.Array, key: Any, low: float, high: float) -> jax.Array:
    """Return the picture that a descent starts from."""
    if not isinstance(start, str):
        given = picture("start", start, low, high)
        _checks.same_shape("transfer", "content", content, "start", given)
        return given.astype(content.dtype)
    _checks.one_of("transfer", "start", start, STARTS)
    if start == "content":
        return content
    return jax.random.uniform(_checks.key("transfer", key), content.shape, content.dtype, low, high)


def layer_weights(name: str, layers: Any) -> tuple[tuple[str, float], ...]:
    """Return (path, weight) of each layer."""
    if isinstance(layers, Mapping):
        for path, weight in layers.items():
            _checks.in_range("transfer", f"{name}['{path}']", weight, 0, float("inf"), "[0, inf)")
        pairs = tuple((path, float(weight)) for path, weight in layers.items())
    else:
        paths = [layers] if isinstance(layers, str) else list(layers)
        pairs = tuple((path, 1.0 / len(paths)) for path in paths)
    if not pairs:
        raise ValueError(explain("transfer", name, got="empty", expected="at least one layer",
                                 fix="pass paths as Net.trace names them"))  # fmt: skip
    return pairs


def rule(optimizer: Any) -> optax.GradientTransformation:
    """Return the update rule."""
    if optimizer is None:
        return _adam()
    if not isinstance(optimizer, optax.GradientTransformation):
        raise DtypeError(
            explain("transfer", "optimizer", got=f"a {type(optimizer).__name__}",
                    expected="an optax transformation", fix="optimizer=jaxdl.optim.adam(0.02)")
        )  # fmt: skip
    return optimizer


@functools.lru_cache(maxsize=1)
def _adam() -> optax.GradientTransformation:
    return optim.adam(0.02)
