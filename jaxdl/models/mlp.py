"""The multi-layer perceptron."""

import dataclasses
import math
from typing import Self

import jax
from flax import nnx

from jaxdl import _checks, activations, initializers
from jaxdl.errors import ShapeError, explain
from jaxdl.layers import BatchNorm, Dropout, Linear

ACTIVATIONS = {
    "identity": lambda x: x,
    "sigmoid": activations.sigmoid,
    "relu": activations.relu,
    "softmax": activations.softmax,
}
INITIALIZERS = {
    "zeros": initializers.zeros,
    "normal": initializers.normal,
    "lecun": initializers.lecun,
    "he": initializers.he,
    "glorot": initializers.glorot,
}


@dataclasses.dataclass(frozen=True)
class MLPConfig:
    """What makes an MLP.

    Attributes:
        sizes: units by layer, inputs and outputs included: ``(784, 16, 16, 10)``.
        activation: of the hidden layers: ``"relu"``, ``"sigmoid"``, ``"identity"`` or ``"softmax"``.
        output: activation of the last layer; ``"identity"`` gives logits.
        dropout: rate after each hidden activation, or the name of a hyperparameter that holds it.
        batch_norm: normalise z before the activation of each hidden layer, whose bias is then left out.
        kernel_init: ``"he"``, ``"lecun"``, ``"glorot"``, ``"normal"``, ``"zeros"``; None: He for ReLU, else
            LeCun. Biases start at 0.

    Raises:
        ValueError: an entry that is none of these, or fewer than two sizes.
        DtypeError: sizes that are not whole numbers.
    """

    sizes: tuple[int, ...]
    activation: str = "relu"
    output: str = "identity"
    dropout: float | str = 0.0
    batch_norm: bool = False
    kernel_init: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", tuple(self.sizes))
        if len(self.sizes) < 2:
            raise ValueError(
                explain("MLPConfig", "sizes", got=self.sizes, expected="at least inputs and outputs",
                        fix="sizes=(784, 16, 16, 10)")
            )  # fmt: skip
        sizes = tuple(_checks.positive_integer("MLPConfig", "sizes", size) for size in self.sizes)
        object.__setattr__(self, "sizes", sizes)
        _checks.one_of("MLPConfig", "activation", self.activation, ACTIVATIONS)
        _checks.one_of("MLPConfig", "output", self.output, ACTIVATIONS)
        _checks.one_of("MLPConfig", "kernel_init", self.kernel_init, (None, *INITIALIZERS))
        _checks.one_of("MLPConfig", "batch_norm", self.batch_norm, (True, False))
        if not isinstance(self.dropout, str):
            _checks.in_range("MLPConfig", "dropout", self.dropout, 0, 1, "[0, 1)")
            object.__setattr__(self, "dropout", float(self.dropout))


class MLP(nnx.Module):
    """Dense layers with an activation between them: ``a_l = g(a_{l-1} W_l + b_l)``.

    Args:
        config: sizes, activations, dropout and batch norm.
        rngs: the random streams of the constructor.

    Example:
        >>> import jax.numpy as jnp
        >>> MLP(MLPConfig(sizes=(64, 32, 10)), rngs=nnx.Rngs(0))(jnp.ones((5, 8, 8))).shape
        (5, 10)
    """

    def __init__(self, config: MLPConfig, *, rngs: nnx.Rngs) -> None:
        self.config = config
        rule = config.kernel_init or ("he" if config.activation == "relu" else "lecun")
        hidden, last = config.sizes[1:-1], len(config.sizes) - 2
        self.layers = nnx.List(
            Linear(fan_in, fan_out, kernel_init=INITIALIZERS[rule](), rngs=rngs,
                   use_bias=index == last or not config.batch_norm)
            for index, (fan_in, fan_out) in enumerate(zip(config.sizes, config.sizes[1:]))
        )  # fmt: skip
        norms = hidden if config.batch_norm else ()
        self.norms = nnx.List(BatchNorm(width, rngs=rngs) for width in norms)
        drops = hidden if config.dropout != 0 else ()
        self.drops = nnx.List(Dropout(config.dropout, rngs=rngs) for _ in drops)

    @classmethod
    def classic(cls, *, rngs: nnx.Rngs) -> Self:
        """784-16-16-10 with sigmoids throughout: 13,002 parameters, for 28 x 28 digits."""
        sizes = (784, 16, 16, 10)
        return cls(MLPConfig(sizes=sizes, activation="sigmoid", output="sigmoid"), rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map inputs (batch, ...), flattened to (batch, sizes[0]), to outputs (batch, sizes[-1])."""
        x = _flatten(x, self.config.sizes[0])
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index == len(self.layers) - 1:
                return ACTIVATIONS[self.config.output](x)
            x = self.norms[index](x) if self.norms else x
            x = ACTIVATIONS[self.config.activation](x)
            x = self.drops[index](x) if self.drops else x
        return x


def _flatten(x: jax.Array, inputs: int) -> jax.Array:
    x = _checks.floating("MLP", "x", x)
    _checks.rank_at_least("MLP", "x", x, 2, "(batch, ...)")
    flat = x.reshape(x.shape[0], math.prod(x.shape[1:]))
    if flat.shape[1] != inputs:
        raise ShapeError(
            explain("MLP", "x", got=f"of shape {x.shape}, {flat.shape[1]} inputs an example",
                    expected=f"{inputs} inputs an example", fix=f"sizes=({flat.shape[1]}, ...)")
        )  # fmt: skip
    return flat
