"""A recurrent layer of any cell: flax's, or one of the user's own."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from jaxdl import _checks, _lengths
from jaxdl.errors import ShapeError, explain
from jaxdl.layers._recurrent_stack import RecurrentStack, like


class Recurrent(RecurrentStack):
    """Any cell over sequences: ``carry, y_t = cell(carry, x_t)``, deep, in both directions, with lengths.

    A cell is an `nnx.Module` whose ``__call__(carry, x)`` maps a carry and one step (batch, in) to the next
    carry and the output (batch, features), and whose ``initial(x)`` makes the first carry of such a step,
    best as ``jnp.zeros_like`` of something of x, so that it lies on the devices where x does. A carry is any
    tree of arrays with the batch in front. The cells of flax (`nnx.LSTMCell`, `nnx.GRUCell`, ...) have
    ``initialize_carry`` instead, and are taken as they are, their first carry drawn with ``nnx.Rngs(0)``.

    The outputs, the carry and `lengths` are as `RNN` says. Dropout inside the cell draws anew at every step,
    from the key of `Net.apply`; running statistics inside it go on from step to step, over padded ones too,
    whose x is 0.

    Args:
        make: ``make(in_features, rngs) -> cell``, called once for every layer and direction.
        in_features: size of the last axis of the input.
        features: size of the last axis of what a cell puts out.
        num_layers: layers, each running over the outputs of the one before.
        bidirectional: run each layer in both directions; outputs are [forward; backward].
        dropout: rate between two layers, a number or the name of a hyperparameter.
        layer_norm: normalise the outputs of every layer over their features.
        rngs: the random streams of the constructor.

    Raises:
        TypeError: `make` does not return a cell.
        ValueError: a number out of range, a length below 1 (0 with a carry) or beyond time.
        ShapeError: input, lengths or carry of another shape or structure; a cell whose output is not (batch,
            features), or whose carry changes its shape.
        DtypeError: input that is not floating, lengths that are no integers, sizes that are not whole.

    Example:
        >>> class Sum(nnx.Module):
        ...     def initial(self, x):
        ...         return jnp.zeros_like(x)
        ...     def __call__(self, carry, x):
        ...         return carry + x, carry + x
        >>> layer = Recurrent(lambda inputs, rngs: Sum(), 1, 1, bidirectional=True, rngs=nnx.Rngs(0))
        >>> layer(jnp.array([[[1.0], [2.0], [5.0]]]), lengths=jnp.array([2]))[0].tolist()
        [[[1.0, 3.0], [3.0, 2.0], [0.0, 0.0]]]
    """

    def __init__(
        self,
        make: Callable[[int, nnx.Rngs], nnx.Module],
        in_features: int,
        features: int,
        *,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float | jax.Array | str = 0.0,
        layer_norm: bool = False,
        rngs: nnx.Rngs,
    ) -> None:
        if not callable(make) or isinstance(make, nnx.Module):
            raise TypeError(
                explain("Recurrent", "make", got=f"a {type(make).__name__}",
                        expected="a function (in_features, rngs) -> cell",
                        fix="lambda inputs, rngs: nnx.GRUCell(inputs, 8, rngs=rngs)")
            )  # fmt: skip
        super().__init__(
            lambda inputs, rngs: _Scanned(make(inputs, rngs), features), in_features, features,
            num_layers=num_layers, bidirectional=bidirectional, dropout=dropout, layer_norm=layer_norm,
            rngs=rngs,
        )  # fmt: skip


class _Scanned(nnx.Module):
    """A cell and its run over a sequence."""

    def __init__(self, cell: Any, features: int) -> None:
        starts = any(hasattr(type(cell), name) for name in ("initial", "initialize_carry"))
        if not isinstance(cell, nnx.Module) or not callable(cell) or not starts:
            raise TypeError(
                explain("Recurrent", "make", got=f"a function that returns a {type(cell).__name__}",
                        expected="one that returns an nnx.Module with __call__(carry, x) and initial(x)",
                        fix="return a cell, such as nnx.GRUCell(in_features, 8, rngs=rngs)")
            )  # fmt: skip
        self.cell, self.features = cell, features

    def initial(self, x: jax.Array) -> Any:
        """Return the first carry of the cell for `x` (batch, time, in)."""
        if hasattr(type(self.cell), "initial"):
            carry = self.cell.initial(x[:, 0])
        else:
            carry = self.cell.initialize_carry(x[:, 0].shape, rngs=nnx.Rngs(0))
            carry = jax.tree.map(functools.partial(_beside, x), carry)
        for leaf in jax.tree.leaves(carry):
            if jnp.shape(leaf)[:1] != x.shape[:1]:
                raise ShapeError(
                    explain("Recurrent", "carry", got=f"of shape {jnp.shape(leaf)}, made by the cell",
                            expected=f"({len(x)}, ...): the batch in front",
                            fix="make it of x in initial(x)")
                )  # fmt: skip
        return carry

    def __call__(
        self, x: jax.Array, carry: Any, lengths: _lengths.Lengths | None, *, reverse: bool
    ) -> tuple[jax.Array, Any]:
        """Run over `x` (batch, time, in): the outputs (batch, time, features) and the last carry."""
        mask = None if lengths is None else lengths.mask
        # What stands in padded steps may be NaN, which a gradient of 0 would not stop.
        x = x if mask is None else jnp.where(mask[..., None], x, 0)
        graph, params, others = _split(self.cell)
        changed = False

        def body(held: tuple[Any, Any], item: tuple[jax.Array, Any]) -> tuple[tuple[Any, Any], jax.Array]:
            nonlocal changed
            (carry, others), (x, here) = held, item
            cell = nnx.merge(graph, params, others)
            new, y = self._step(cell, carry, x)
            after = _split(cell)[2]
            changed = changed or _differ(others, after)
            if here is not None:
                new, y = _where(here, new, carry), _where(here, y, jnp.zeros_like(y))
            return (new, after), y

        steps = jax.tree.map(lambda leaf: jnp.swapaxes(leaf, 0, 1), (x, mask))
        (carry, others), y = lax.scan(body, (carry, others), steps, reverse=reverse)
        if changed:  # Counters that nothing was drawn by stay what they are: no key is needed then.
            nnx.update(self.cell, others)
        y = jnp.swapaxes(y, 0, 1)
        if lengths is not None:  # A cell need not hand on the NaN of its input.
            y, carry = jax.tree.map(lambda leaf: _poisoned(leaf, lengths.poison), (y, carry))
        return y, carry

    def _step(self, cell: Any, carry: Any, x: jax.Array) -> tuple[Any, jax.Array]:
        new, y = cell(carry, x)
        y = _checks.floating("Recurrent", "the output of the cell", y)
        if y.shape != (len(x), self.features):
            raise ShapeError(
                explain("Recurrent", "make", got=f"of cells whose output is {y.shape}",
                        expected=f"{(len(x), self.features)}", fix=f"features={(y.shape or (1,))[-1]}")
            )  # fmt: skip
        return like("Recurrent", new, carry, "return the carry in the form that came in"), y


def _split(cell: nnx.Module) -> tuple[Any, Any, Any]:
    """Return the cell's graph, parameters, and what else it holds, as dicts of arrays."""
    graph, *parts = nnx.split(cell, nnx.Param, ..., graph=True)
    params, others = map(nnx.to_pure_dict, parts)
    return graph, params, others


def _poisoned(leaf: jax.Array, poison: jax.Array) -> jax.Array:
    if not jnp.issubdtype(leaf.dtype, jnp.floating):
        return leaf
    return leaf * poison.astype(leaf.dtype).reshape(poison.shape + (1,) * (leaf.ndim - 1))


def _beside(x: jax.Array, leaf: jax.Array) -> jax.Array:
    """Lay a leaf of the carry out over devices as x is, by adding a zero of x."""
    zero = jnp.zeros_like(x[:, 0, 0], leaf.dtype)
    return leaf + jnp.reshape(zero, zero.shape + (1,) * (leaf.ndim - 1))


def _differ(before: Any, after: Any) -> bool:
    pairs = zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True)
    return any(a is not b for a, b in pairs)


def _where(here: jax.Array, new: Any, old: Any) -> Any:
    """Return, of two trees with the batch in front, the new one where `here` (batch,)."""
    return jax.tree.map(
        lambda a, b: jnp.where(jnp.reshape(here, here.shape + (1,) * (a.ndim - 1)), a, b), new, old
    )
