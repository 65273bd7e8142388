"""The multi-layer perceptron."""

import dataclasses
import math
from collections.abc import Callable
from functools import partial
from typing import Self

import jax
from flax import nnx

from jaxdl import _checks, initializers
from jaxdl.errors import ShapeError, explain
from jaxdl.initializers import Initializer
from jaxdl.layers import Activation, BatchNorm, Dropout, Linear, PReLU
from jaxdl.layers.activation import ACTIVATIONS as FUNCTIONS
from jaxdl.layers.dropout import SCALES
from jaxdl.layers.norm import VARIANCES

ACTIVATIONS = (*FUNCTIONS, "prelu")
RECTIFIERS = ("relu", "leaky_relu", "prelu", "swish")
_FANS = {"lecun": initializers.lecun, "he": initializers.he, "glorot": initializers.glorot}
INITIALIZERS: dict[str, Callable[[], Initializer]] = {
    "zeros": initializers.zeros,
    "normal": initializers.normal,
    "uniform": initializers.uniform,
    **_FANS,
    **{f"{name}_uniform": partial(make, distribution="uniform") for name, make in _FANS.items()},
    **{f"{name}_truncated": partial(make, distribution="truncated_normal") for name, make in _FANS.items()},
    "orthogonal": initializers.orthogonal,
    "torch": partial(initializers.library_default, "torch"),
}
BIASES = ("zeros", "torch")
PLACES = ("before_activation", "after_activation")


@dataclasses.dataclass(frozen=True)
class MLPConfig:
    """What makes an MLP.

    Attributes:
        sizes: units by layer, inputs and outputs included: ``(784, 16, 16, 10)``.
        activation: of the hidden layers: ``"relu"``, ``"leaky_relu"``, ``"prelu"`` (a slope learnt by each
            layer), ``"swish"``, ``"sigmoid"``, ``"tanh"``, ``"softsign"``, ``"step"`` (without gradient),
            ``"softmax"`` or ``"identity"`` (the whole is then a linear model).
        output: activation of the last layer; ``"identity"`` gives logits.
        dropout: rate after each hidden activation, or the name of a hyperparameter that holds it.
        dropout_scale: ``"training"`` or ``"evaluation"``; see `jaxdl.layers.Dropout`.
        batch_norm: normalise each hidden layer.
        norm_place: ``"before_activation"`` normalises z, and leaves out the bias of the layer, whose work
            beta does; ``"after_activation"`` normalises a, and keeps the bias.
        norm_momentum: how much of the running statistics a step keeps.
        norm_epsilon: added to the variance.
        norm_variance: ``"biased"`` or ``"unbiased"`` running variance; see `jaxdl.layers.BatchNorm`.
        kernel_init: ``"he"``, ``"lecun"`` (the sqrt(1/n) that is called Xavier for tanh) or ``"glorot"``,
            each also as ``"he_uniform"`` or ``"he_truncated"``; ``"normal"`` (N(0, 0.01^2)), ``"uniform"``
            (U(-0.05, 0.05)), ``"zeros"``, ``"orthogonal"``, ``"torch"`` (U(-1/sqrt(n), 1/sqrt(n))); or a
            number s for N(0, s^2). None: He for ReLU and its kin, else LeCun.
        bias_init: ``"zeros"``, or ``"torch"`` for U(-1/sqrt(n), 1/sqrt(n)), n the inputs of the layer.

    Raises:
        ValueError: an entry that is none of these, or fewer than two sizes.
        DtypeError: sizes that are not whole numbers.
    """

    sizes: tuple[int, ...]
    activation: str = "relu"
    output: str = "identity"
    dropout: float | str = 0.0
    dropout_scale: str = "training"
    batch_norm: bool = False
    norm_place: str = "before_activation"
    norm_momentum: float = 0.9
    norm_epsilon: float = 1e-5
    norm_variance: str = "biased"
    kernel_init: str | float | None = None
    bias_init: str = "zeros"

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", tuple(self.sizes))
        if len(self.sizes) < 2:
            raise ValueError(
                explain("MLPConfig", "sizes", got=self.sizes, expected="at least inputs and outputs",
                        fix="sizes=(784, 16, 16, 10)")
            )  # fmt: skip
        sizes = tuple(_checks.positive_integer("MLPConfig", "sizes", size) for size in self.sizes)
        object.__setattr__(self, "sizes", sizes)
        for name, choices in (
            ("activation", ACTIVATIONS), ("output", ACTIVATIONS), ("dropout_scale", SCALES),
            ("batch_norm", (True, False)), ("norm_place", PLACES), ("norm_variance", VARIANCES),
            ("bias_init", BIASES),
        ):  # fmt: skip
            _checks.one_of("MLPConfig", name, getattr(self, name), choices)
        self._numbers("dropout", 0, 1, "[0, 1)")
        self._numbers("norm_momentum", 0, 1, "[0, 1)")
        self._numbers("norm_epsilon", 0, math.inf, "[0, inf)")
        if isinstance(self.kernel_init, str | None):
            _checks.one_of("MLPConfig", "kernel_init", self.kernel_init, (None, *INITIALIZERS))
        else:
            self._numbers("kernel_init", 0, math.inf, "[0, inf), or a name")

    def _numbers(self, name: str, low: float, high: float, text: str) -> None:
        value = getattr(self, name)
        if not isinstance(value, str) or name != "dropout":
            _checks.in_range("MLPConfig", name, value, low, high, text)
            object.__setattr__(self, name, float(value))

    @property
    def initializer(self) -> Initializer:
        """The initialiser of the kernels."""
        if isinstance(self.kernel_init, float):
            return initializers.normal(stddev=self.kernel_init)
        return INITIALIZERS[self.kernel_init or ("he" if self.activation in RECTIFIERS else "lecun")]()

    @property
    def biased(self) -> bool:
        """Whether hidden layers have a bias: not before a batch norm, whose beta would double it."""
        return not self.batch_norm or self.norm_place == "after_activation"


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
        hidden, last = config.sizes[1:-1], len(config.sizes) - 2
        self.layers = nnx.List(
            Linear(fan_in, fan_out, kernel_init=config.initializer, bias_init=_bias(config, fan_in),
                   use_bias=index == last or config.biased, rngs=rngs)
            for index, (fan_in, fan_out) in enumerate(zip(config.sizes, config.sizes[1:]))
        )  # fmt: skip
        norms = hidden if config.batch_norm else ()
        self.norms = nnx.List(
            BatchNorm(width, momentum=config.norm_momentum, epsilon=config.norm_epsilon,
                      running_variance=config.norm_variance, rngs=rngs)
            for width in norms
        )  # fmt: skip
        kinds = [config.activation] * len(hidden) + [config.output]
        self.activations = nnx.List(
            PReLU(rngs=rngs) if kind == "prelu" else Activation(kind) for kind in kinds
        )
        drops = hidden if config.dropout != 0 else ()
        self.drops = nnx.List(Dropout(config.dropout, scale=config.dropout_scale, rngs=rngs) for _ in drops)

    @classmethod
    def classic(cls, *, rngs: nnx.Rngs) -> Self:
        """784-16-16-10 with sigmoids throughout: 13,002 parameters, for 28 x 28 digits."""
        sizes = (784, 16, 16, 10)
        return cls(MLPConfig(sizes=sizes, activation="sigmoid", output="sigmoid"), rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map inputs (batch, ...), flattened to (batch, sizes[0]), to outputs (batch, sizes[-1])."""
        x = _flatten(x, self.config.sizes[0])
        last = len(self.layers) - 1
        for index, (layer, activation) in enumerate(zip(self.layers, self.activations)):
            x = layer(x)
            norm = self.norms[index] if self.norms and index < last else None
            early = self.config.norm_place == "before_activation"
            x = norm(x) if norm and early else x
            x = activation(x)
            x = norm(x) if norm and not early else x
            x = self.drops[index](x) if self.drops and index < last else x
        return x


def _bias(config: MLPConfig, inputs: int) -> Initializer:
    if config.bias_init == "zeros":
        return initializers.zeros()
    return initializers.library_default("torch", inputs=inputs)


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
