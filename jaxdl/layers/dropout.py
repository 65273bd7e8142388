"""Dropout whose rate may be traced, so that a sweep over rates is one program."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxdl import _checks, _hyper
from jaxdl.errors import explain

SCALES = ("training", "evaluation")


class _Bound:
    """Carries a traced rate past flax, which would otherwise count it as state of the module."""

    def __init__(self, rate: Any) -> None:
        self.rate = rate


class Dropout(nnx.Module):
    """Drop entries in training: ``y = x * mask / (1 - rate)``, where mask keeps each with chance 1 - rate.

    That is inverted dropout, ``y = x`` in evaluation. The older form does not divide: ``y = x * mask`` in
    training and ``y = x * (1 - rate)`` in evaluation. The expectation of the training output equals the
    evaluation output in both.

    Args:
        rate: probability to drop an entry, in [0, 1); a traced scalar; or the name of a hyperparameter,
            read from the `hyper` that `Net.apply` receives: ``Dropout("dropout", rngs=rngs)``. A traced rate
            out of range makes the output NaN, wherever the rate is used.
        scale: when the keep probability is made up for: ``"training"`` (divide by it; inverted dropout) or
            ``"evaluation"`` (multiply by it).
        rngs: random streams; the stream "dropout" is used, else the default one.

    Raises:
        ValueError: the rate lies outside [0, 1), `scale` is unknown, or `hyper` lacks the name.
        DtypeError: the input is not floating.

    Example:
        >>> layer = Dropout(0.5, rngs=nnx.Rngs(0))
        >>> sorted(set(layer(jnp.ones(100)).tolist()))
        [0.0, 2.0]

    Reference:
        Srivastava et al. (2014), who scale in evaluation. With ``scale="training"`` the same distribution
        as ``torch.nn.Dropout(rate)``.
    """

    def __init__(self, rate: float | jax.Array | str, *, scale: str = "training", rngs: nnx.Rngs) -> None:
        if not isinstance(rate, str):
            rate = _hyper.number("Dropout", "rate", rate, 0, 1, "[0, 1)")
        _checks.one_of("Dropout", "scale", scale, SCALES)
        self.scale = scale
        self.rate = rate if isinstance(rate, int | float | str) else "(traced)"
        self.bound = None if isinstance(rate, str) else _Bound(rate)
        self.deterministic = False
        self.rngs = rngs["dropout"].fork()

    def set_view(self, *, deterministic: bool | None = None, **others: Any) -> dict[str, Any]:
        """Switch between training and evaluation; called by ``flax.nnx.view``."""
        if deterministic is not None:
            self.deterministic = deterministic
        return others

    def bind_hyper(self, hyper: Mapping[str, Any]) -> None:
        """Take the rate from `hyper` when it was given by name; called by `Net.apply`."""
        idle = self.deterministic and self.scale == "training"
        if self.bound is not None or idle or not isinstance(self.rate, str):
            return
        if self.rate not in hyper:
            raise ValueError(
                explain("Dropout", "hyper", got=f"without '{self.rate}' (it has {sorted(hyper)})",
                        expected=f"a value for Dropout(rate='{self.rate}')",
                        fix=f"hyper={{..., '{self.rate}': 0.5}}")
            )  # fmt: skip
        self.bound = _Bound(_hyper.number("Dropout", self.rate, hyper[self.rate], 0, 1, "[0, 1)"))

    def __call__(self, x: jax.Array) -> jax.Array:
        """Drop entries of `x`, an array of any shape; returns the same shape and dtype."""
        x = _checks.floating("Dropout", "x", x)
        if self.deterministic and self.scale == "training":
            return x
        if self.bound is None:
            self.bind_hyper({})
        rate = self.bound.rate if self.bound is not None else 0.0
        if isinstance(rate, int | float) and rate == 0:
            return x
        # A chance in bfloat16 would be a multiple of 1/128.
        keep = 1 - jnp.asarray(rate, jnp.promote_types(x.dtype, jnp.float32))
        if self.deterministic:
            return (x * keep).astype(x.dtype)
        mask = jax.random.bernoulli(self.rngs(), keep, x.shape)
        # Dropped entries are 0, but NaN where the rate is: nothing is drawn below a chance of NaN.
        return jnp.where(mask, x / keep if self.scale == "training" else x, 0 * keep).astype(x.dtype)
