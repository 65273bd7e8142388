"""The subsampling of the first convolutional networks, with weights of its own."""

import jax
import jax.numpy as jnp
from flax import nnx

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain


class Subsample(nnx.Module):
    """Sum of every 2x2 window times a coefficient, plus a bias: ``y = c (x1 + x2 + x3 + x4) + b``.

    Each channel has its own c and b. Average pooling is c = 1/4 and b = 0, held fixed.

    Args:
        num_features: channels.
        rngs: the random streams of the constructor; c is ``U(-0.6, 0.6)``, which is 2.4 over the four
            inputs, and b is 0.

    Raises:
        ShapeError: an input of another shape than (batch, height, width, channels), or of an odd side.

    Example:
        >>> layer = Subsample(6, rngs=nnx.Rngs(0))
        >>> layer(jnp.ones((1, 28, 28, 6))).shape
        (1, 14, 14, 6)

    Reference:
        LeCun, Bottou, Bengio and Haffner (1998), section II.B.
    """

    def __init__(self, num_features: int, *, rngs: nnx.Rngs) -> None:
        self.num_features = _checks.positive_integer("Subsample", "num_features", num_features)
        self.scale = nnx.Param(jax.random.uniform(rngs.params(), (num_features,), minval=-0.6, maxval=0.6))
        self.bias = nnx.Param(jnp.zeros(num_features))

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `x` (batch, height, width, channels) to half the height and width."""
        x = _checks.floating("Subsample", "x", x)
        if x.ndim != 4 or x.shape[-1] != self.num_features or x.shape[1] % 2 or x.shape[2] % 2:
            raise ShapeError(
                explain("Subsample", "x", got=f"of shape {x.shape}",
                        expected=f"(batch, height, width, {self.num_features}) of even height and width",
                        fix="crop or pad the images to even sides")
            )  # fmt: skip
        batch, height, width, channels = x.shape
        sums = x.reshape(batch, height // 2, 2, width // 2, 2, channels).sum((2, 4))
        scale, bias = (part[...].reshape(1, 1, 1, -1) for part in (self.scale, self.bias))
        return sums * scale + bias
