"""Recurrent layers on top of each other, in one or both directions, whatever their cells are."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxdl import _checks, _hyper, _lengths
from jaxdl.errors import DtypeError, ShapeError, explain
from jaxdl.layers.dropout import Dropout

Make = Callable[[int, nnx.Rngs], nnx.Module]


class RecurrentLayer(nnx.Module):
    """One layer: a forward run, a backward run where there is one, and the layer norm of their outputs."""

    def __init__(self, cells: Sequence[Any], norm: nnx.LayerNorm | None) -> None:
        self.forward = cells[0]
        self.backward = cells[1] if len(cells) > 1 else None
        self.norm = norm

    def __call__(
        self, op: str, x: jax.Array, carries: Sequence[Any], lengths: _lengths.Lengths | None
    ) -> tuple[jax.Array, list[Any]]:
        """Return the outputs (batch, time, directions x features) and the last carry of each direction."""
        outputs, last = [], []
        for cell, reverse, given in zip((self.forward, self.backward), (False, True), carries, strict=False):
            zero = cell.initial(x)
            carry = zero if given is None else like(op, given, zero)
            y, after = cell(x, carry, lengths, reverse=reverse)
            outputs.append(y)
            last.append(after)
        y = outputs[0] if len(outputs) == 1 else jnp.concatenate(outputs, -1)
        if self.norm is not None:
            y = self.norm(y).astype(y.dtype)
            y = y if lengths is None else jnp.where(lengths.mask[..., None], y, 0)
        return y, last


class RecurrentStack(nnx.Module):
    """`num_layers` recurrent layers; the outputs of each are the inputs of the next."""

    def __init__(
        self,
        make: Make,
        in_features: int,
        features: int,
        *,
        num_layers: int,
        bidirectional: bool,
        dropout: float | jax.Array | str,
        layer_norm: bool,
        rngs: nnx.Rngs,
    ) -> None:
        op = type(self).__name__
        self.in_features = _checks.positive_integer(op, "in_features", in_features)
        self.features = _checks.positive_integer(op, "features", features)
        _checks.positive_integer(op, "num_layers", num_layers)
        _checks.one_of(op, "bidirectional", bidirectional, (False, True))
        _checks.one_of(op, "layer_norm", layer_norm, (False, True))
        self.directions = 2 if bidirectional else 1
        self.dropout = _dropout(op, dropout, num_layers, rngs)
        width = self.directions * features
        self.layers = nnx.List(
            RecurrentLayer(
                [make(width if number else in_features, rngs) for _ in range(self.directions)],
                nnx.LayerNorm(width, use_fast_variance=False, rngs=rngs) if layer_norm else None,
            )
            for number in range(num_layers)
        )

    def __call__(
        self, x: jax.Array, *, lengths: jax.Array | None = None, carry: Any = None
    ) -> tuple[jax.Array, Any]:
        """Run over `x` (batch, time, in).

        Args:
            x: the sequences, floating.
            lengths: valid steps of each, (batch,) integers in [1, time]; with a `carry` given 0 too, for a
                sequence that ended in an earlier piece. None: all.
            carry: what an earlier call returned; None: zeros.

        Returns:
            The outputs (batch, time, directions x features), 0 in padded steps, and the carry behind the last
            valid step: of one layer in one direction that of the cell, otherwise a tuple of them, by layer
            and within a layer forward, backward.
        """
        op = type(self).__name__
        x = self._sequences(op, x)
        valid = None
        if lengths is not None:
            valid = _lengths.checked(op, lengths, x.shape[:2], least=1 if carry is None else 0)
            x = x * valid.poison[:, None, None].astype(x.dtype)
        given, last = self._given(op, carry), []
        for number, layer in enumerate(self.layers):
            if number and self.dropout is not None:
                x = self.dropout(x)
            start = number * self.directions
            x, after = layer(op, x, given[start : start + self.directions], valid)
            last += after
        return x, last[0] if len(last) == 1 else tuple(last)

    def _sequences(self, op: str, x: Any) -> jax.Array:
        x = _checks.floating(op, "x", x)
        if x.ndim != 3 or x.shape[1] < 1 or x.shape[2] != self.in_features:
            fix = "x[..., None] for one feature" if x.ndim == 2 else f"{op}({(x.shape or (1,))[-1]}, ...)"
            raise ShapeError(
                explain(op, "x", got=f"of shape {x.shape}", fix=fix,
                        expected=f"(batch, time, features) with {self.in_features} features and some time")
            )  # fmt: skip
        return x

    def _given(self, op: str, carry: Any) -> Sequence[Any]:
        count = len(self.layers) * self.directions
        if carry is None or count == 1:
            return [carry] * count
        if not isinstance(carry, tuple | list) or len(carry) != count:
            got = f"{len(carry)} of them" if isinstance(carry, tuple | list) else f"a {type(carry).__name__}"
            raise ShapeError(
                explain(op, "carry", got=got, fix="hand in the carry that an earlier call returned",
                        expected=f"a tuple of {count}, of {len(self.layers)} layers in {self.directions} "
                                 "directions")
            )  # fmt: skip
        return carry


def _dropout(op: str, rate: Any, num_layers: int, rngs: nnx.Rngs) -> Dropout | None:
    if isinstance(rate, int | float) and rate == 0:
        return None
    if not isinstance(rate, str):
        _hyper.number(op, "dropout", rate, 0, 1, "[0, 1)")
    if num_layers == 1:
        raise ValueError(
            explain(op, "dropout", got=repr(rate), expected="0 where there is one layer: it acts between two",
                    fix="put layers.Dropout behind this layer, or num_layers=2")
        )  # fmt: skip
    return Dropout(rate, rngs=rngs)


def like(op: str, carry: Any, zero: Any, fix: str = "hand in the carry that an earlier call returned") -> Any:
    """Return a carry in the dtypes of `zero`, or raise unless its structure and shapes are those."""
    got: Any = jax.tree.structure(carry)
    expected: Any = jax.tree.structure(zero)
    if got != expected:
        raise ShapeError(explain(op, "carry", got=f"of structure {got}", expected=f"{expected}", fix=fix))
    return jax.tree.map(functools.partial(_leaf, op, fix), carry, zero)


def _leaf(op: str, fix: str, given: Any, zero: jax.Array) -> jax.Array:
    given = _checks.array(op, "carry", given)
    if given.shape != zero.shape:
        raise ShapeError(
            explain(op, "carry", got=f"of shape {given.shape}", expected=f"{zero.shape}", fix=fix)
        )
    if jnp.issubdtype(given.dtype, jnp.floating) != jnp.issubdtype(zero.dtype, jnp.floating):
        raise DtypeError(
            explain(op, "carry", got=f"of dtype {given.dtype}", expected=f"{zero.dtype}", fix=fix)
        )
    return given.astype(zero.dtype)
