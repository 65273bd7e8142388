"""Normalisation with safe defaults."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain

VARIANCES = ("biased", "unbiased")


class BatchNorm(nnx.BatchNorm):
    """Batch norm ``gamma (z - mean) / sqrt(var + eps) + beta``, flax's own with the two-pass variance.

    In training mean and var are those of the batch, over all axes but the features; in evaluation they are
    the running ones, or the exact ones of the training set that `jaxdl.train.exact_statistics` finds.
    ``gamma = sqrt(var + eps)``, ``beta = mean`` give z back. flax's one-pass variance (mean of squares less
    square of mean) is off by thousands at mean/std = 1e4. The layer before it should have
    ``use_bias=False``: beta does its work.

    Args:
        num_features: size of the last axis.
        momentum: m of ``running <- m running + (1 - m) batch``, in [0, 1): how much of the past is kept.
            torch's momentum is the share of the new batch, 1 - m: its default 0.1 is 0.9 here.
        running_variance: which variance of a batch enters the running one: ``"biased"``, divided by n, as
            flax and Keras do, or ``"unbiased"``, divided by n - 1, as torch does. Training outputs are
            normalised with the biased one in both.
        options: what else `flax.nnx.BatchNorm` takes: `epsilon` (1e-5, as torch), `use_scale`, ...
        rngs: the random streams of the constructor.

    Raises:
        ValueError: a momentum outside [0, 1), or an unknown running variance.
        ShapeError: when called, other features, or in training a single value a feature.
        DtypeError: when called, an input that is not floating.

    Example:
        >>> BatchNorm(2, rngs=nnx.Rngs(0))(jnp.array([[1e4, 0.0], [1e4 + 2, 2.0]])).round(2).tolist()
        [[-1.0, -1.0], [1.0, 1.0]]

    Reference:
        Ioffe and Szegedy (2015). Equals ``torch.nn.BatchNorm1d(momentum=1 - m)`` with
        ``running_variance="unbiased"``, and ``flax.nnx.BatchNorm`` with ``"biased"``.
    """

    momentum: float

    def __init__(
        self,
        num_features: int,
        *,
        momentum: float = 0.9,
        running_variance: str = "biased",
        rngs: nnx.Rngs,
        **options: Any,
    ) -> None:
        _checks.in_range("BatchNorm", "momentum", momentum, 0, 1, "[0, 1)")
        _checks.one_of("BatchNorm", "running_variance", running_variance, VARIANCES)
        options.setdefault("use_fast_variance", False)
        super().__init__(num_features, momentum=momentum, rngs=rngs, **options)
        self.running_variance = running_variance
        self.measuring = False

    def set_view(self, *, use_running_average: bool | None = None, measuring: bool | None = None) -> None:
        """Switch between training, evaluation and measuring; called by ``flax.nnx.view``.

        A layer that measures normalises as in evaluation, and leaves mean and variance of its batch in the
        place of the running ones.
        """
        super().set_view(use_running_average=use_running_average)
        if measuring is not None:
            self.measuring = measuring

    def __call__(
        self, x: jax.Array, use_running_average: bool | None = None, *, mask: jax.Array | None = None
    ) -> jax.Array:
        """Normalise `x` (batch, ..., features); `mask` (as `x`, or broadcast to it) leaves entries out.

        What is in bfloat16 is normalised in float32 and comes back in bfloat16.
        """
        x = _checks.floating("BatchNorm", "x", x)
        if use_running_average is None:
            use_running_average = self.use_running_average
        self._check_shape(x, one_value=bool(use_running_average))
        if use_running_average:
            y = super().__call__(x, use_running_average=True, mask=mask)
            if self.measuring:
                self._batch_statistics(x, mask)
        else:
            y = self._train(x, mask)
        # flax promotes to the running statistics, which are float32: all that follows would be float32.
        return y.astype(x.dtype) if self.dtype is None else y

    def _train(self, x: jax.Array, mask: jax.Array | None) -> jax.Array:
        m, mean_before, variance_before = self.momentum, self.mean[...], self.var[...]
        y = self._batch_statistics(x, mask)
        mean, variance = self.mean[...], self.var[...]
        if self.running_variance == "unbiased":
            count = self._count(x, mask)
            variance = variance * (count / (count - 1))
        self.mean[...] = m * mean_before + (1 - m) * mean
        self.var[...] = m * variance_before + (1 - m) * variance
        return y

    def _batch_statistics(self, x: jax.Array, mask: jax.Array | None) -> jax.Array:
        """Normalise by the batch, and leave its mean and biased variance in `mean` and `var`."""
        kept, self.momentum = self.momentum, 0.0
        try:
            return super().__call__(x, use_running_average=False, mask=mask)
        finally:
            self.momentum = kept

    def _count(self, x: jax.Array, mask: jax.Array | None) -> Any:
        count: Any = x.size // self.num_features
        if mask is not None:
            count = jnp.sum(jnp.broadcast_to(mask, x.shape)) / self.num_features
        if self.axis_name is None:
            return count
        return jax.lax.psum(count, self.axis_name, axis_index_groups=self.axis_index_groups)

    def _check_shape(self, x: jax.Array, *, one_value: bool) -> None:
        if x.ndim < 2 or x.shape[self.axis] != self.num_features:
            raise ShapeError(
                explain("BatchNorm", "x", got=f"of shape {x.shape}",
                        expected=f"(batch, ..., features) with {self.num_features} features",
                        fix=f"BatchNorm({x.shape[self.axis] if x.ndim else 1}, ...)")
            )  # fmt: skip
        if not one_value and x.size == self.num_features and self.axis_name is None:
            raise ShapeError(
                explain("BatchNorm", "x", got=f"of shape {x.shape}, a single value a feature",
                        expected="at least 2 values a feature in training: one less its own mean is 0",
                        fix="use a larger batch, or train=False")
            )  # fmt: skip
