"""The weights of one layer of a recurrent network in one direction, and its run over a sequence."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxdl import _lengths
from jaxdl.initializers import Initializer
from jaxdl.kernels import recurrent


@dataclasses.dataclass(frozen=True)
class Convention:
    """Which cell, in which convention; static.

    Attributes:
        run: the sequence of `jaxdl.kernels.recurrent`.
        gates: blocks of the last axis of the weights.
        options: what `run` is given by keyword.
        memory: whether the carry is (h, c) rather than h.
        recurrent_bias: whether the candidate has a bias inside the product with the reset gate.
        peepholes: gates that look at the memory.
        forget_bias: what is added to the bias of the gate 1 at the start.
    """

    run: Callable[..., Any]
    gates: int
    options: tuple[tuple[str, Any], ...]
    memory: bool = False
    recurrent_bias: bool = False
    peepholes: int = 0
    forget_bias: float = 0.0


@dataclasses.dataclass(frozen=True)
class Starts:
    """The initialisers of the weights; those of the kernels draw every gate for itself."""

    kernel: Initializer
    recurrent: Initializer
    bias: Initializer


class Cell(nnx.Module):
    """One layer in one direction: weights (in, gates x features), (features, gates x features) and biases."""

    def __init__(
        self, convention: Convention, in_features: int, features: int, *, starts: Starts, rngs: nnx.Rngs
    ) -> None:
        self.convention, self.features = convention, features
        gates = convention.gates
        self.input = nnx.Param(_gates(starts.kernel, rngs, gates, in_features, features))
        self.recurrent = nnx.Param(_gates(starts.recurrent, rngs, gates, features, features))
        bias = starts.bias(rngs.params(), (gates * features,))
        if convention.forget_bias:
            bias = bias.at[features : 2 * features].add(convention.forget_bias)
        self.bias = nnx.Param(bias)
        if convention.recurrent_bias:
            self.recurrent_bias = nnx.Param(starts.bias(rngs.params(), (features,)))
        if convention.peepholes:
            self.peephole = nnx.Param(jnp.zeros((convention.peepholes, features)))

    def initial(self, x: jax.Array) -> Any:
        """Return the carry of zeros for `x` (batch, time, in), laid out over devices as x is."""
        dtype = jnp.result_type(x, self.input[...])
        zero = jnp.broadcast_to(jnp.zeros_like(x[:, 0, :1], dtype), (len(x), self.features))
        return (zero, zero) if self.convention.memory else zero

    def __call__(
        self, x: jax.Array, carry: Any, lengths: _lengths.Lengths | None, *, reverse: bool
    ) -> tuple[jax.Array, Any]:
        """Run over `x` (batch, time, in): the outputs (batch, time, features) and the last carry."""
        dtype = jnp.result_type(x, self.input[...])
        names = [name for name in recurrent.Weights._fields if hasattr(self, name)]
        weights = recurrent.Weights(**{name: getattr(self, name)[...].astype(dtype) for name in names})
        steps = None if lengths is None else lengths.steps
        return self.convention.run(
            x.astype(dtype), carry, weights, lengths=steps, reverse=reverse, **dict(self.convention.options)
        )


def _gates(init: Initializer, rngs: nnx.Rngs, gates: int, inputs: int, features: int) -> jax.Array:
    """Draw every gate for itself, as an initialiser reads fans and orthogonality off the whole shape."""
    keys = jax.random.split(rngs.params(), gates)
    blocks = jax.vmap(lambda key: init(key, (inputs, features)))(keys)
    return jnp.moveaxis(blocks, 0, 1).reshape(inputs, gates * features)
