"""Local response normalisation as a layer."""

import jax
from flax import nnx

from jaxdl import _checks
from jaxdl.kernels import response_norm
from jaxdl.layers import _window


class LocalResponseNorm(nnx.Module):
    """Divide each channel by its neighbours: ``y = x / (k + alpha sum_window x^2)^beta``, no parameters.

    Args:
        size: channels of the window, ``size // 2`` of them before.
        alpha: weight of the squares; not negative.
        beta: the power.
        k: added to the sum; above 0.
        alpha_divided: divide alpha by `size`, as torch does; the paper does not.

    Raises:
        ValueError: a number out of its range.
        DtypeError: the input is not floating.

    Example:
        >>> import jax.numpy as jnp
        >>> layer = LocalResponseNorm(3, alpha=1.0, beta=0.5, k=7.0)
        >>> [round(float(v), 3) for v in layer(jnp.array([1.0, 2.0, 2.0]))]
        [0.289, 0.5, 0.516]

    Reference:
        Krizhevsky, Sutskever and Hinton (2012), whose numbers are the defaults. With ``alpha_divided=True``
        equals ``torch.nn.LocalResponseNorm(size, alpha, beta, k)``.
    """

    def __init__(
        self,
        size: int = 5,
        *,
        alpha: float = 5e-4,
        beta: float = 0.75,
        k: float = 2.0,
        alpha_divided: bool = False,
    ) -> None:
        name = "LocalResponseNorm"
        self.size = _checks.positive_integer(name, "size", size)
        _checks.in_range(name, "alpha", alpha, 0, 1e30, "[0, 1e30)")
        _checks.in_range(name, "beta", beta, -1e30, 1e30, "[-1e30, 1e30)")
        _checks.in_range(name, "k", k, 1e-30, 1e30, "[1e-30, 1e30)")
        self.alpha, self.beta, self.k, self.alpha_divided = alpha, beta, k, alpha_divided

    def __call__(self, x: jax.Array) -> jax.Array:
        """Normalise `x` (..., channels); returns the same shape and dtype."""
        with _window.named_errors():
            return response_norm.local_response_norm(
                x, self.size, alpha=self.alpha, beta=self.beta, k=self.k, alpha_divided=self.alpha_divided
            )
