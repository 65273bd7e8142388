"""What the networks of sequences have in common: the config, the recurrent layers, the door."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxdl import _checks, _lengths
from jaxdl._lengths import Lengths
from jaxdl.errors import ShapeError, explain
from jaxdl.layers import GRU, LSTM, RNN, Dropout, Embedding, Linear
from jaxdl.models import _configs

CELLS: dict[str, Any] = {"rnn": RNN, "gru": GRU, "lstm": LSTM}
PARTS = ("sequence", "lengths")


@dataclasses.dataclass(frozen=True)
class SequenceConfig:
    """The fields that configs of such networks share; they are explained where they are public."""

    in_features: int
    num_classes: int
    widths: tuple[int, ...] = (64,)
    cell: str = "lstm"
    bidirectional: bool = False
    dropout: float | str = 0.0
    vocabulary: int = 0
    forget_bias: float = 1.0

    def __post_init__(self) -> None:
        op = type(self).__name__
        _configs.whole(self, "in_features", "num_classes")
        _configs.whole(self, "vocabulary", least=0)
        _configs.widths(self, "widths")
        if not self.widths:
            raise ValueError(
                explain(op, "widths", got="()", expected="the units of at least one layer",
                        fix="widths=(64,)")
            )  # fmt: skip
        _checks.one_of(op, "cell", self.cell, tuple(CELLS))
        _configs.flags(self, "bidirectional")
        _configs.rates(self, "dropout")
        _configs.number(self, "forget_bias", -100, 100, "[-100, 100)")


class SequenceNet(nnx.Module):
    """An embedding where there are tokens, recurrent layers with dropout behind each, and a linear head."""

    def __init__(self, config: SequenceConfig, *, rngs: nnx.Rngs) -> None:
        self.config = config
        sides = 2 if config.bidirectional else 1
        self.embedding = (
            Embedding(config.vocabulary, config.in_features, rngs=rngs) if config.vocabulary else None
        )
        inputs = (config.in_features, *(sides * width for width in config.widths))
        options: dict[str, Any] = {"forget_bias": config.forget_bias} if config.cell == "lstm" else {}
        self.layers = nnx.List(
            CELLS[config.cell](fan_in, width, bidirectional=config.bidirectional, rngs=rngs, **options)
            for fan_in, width in zip(inputs, config.widths)
        )
        self.drops = nnx.List(
            Dropout(config.dropout, rngs=rngs) for _ in config.widths if config.dropout != 0
        )
        self.head = Linear(inputs[-1], config.num_classes, rngs=rngs)

    def encode(self, x: Any) -> tuple[jax.Array, Lengths | None]:
        """Return the outputs of the last layer (batch, time, units), and the lengths where there are any."""
        sequence, valid = read(type(self).__name__, x, self.config)
        if self.embedding is not None:
            sequence = self.embedding(sequence)
        steps = None if valid is None else valid.steps
        for number, layer in enumerate(self.layers):
            sequence, _ = layer(sequence, lengths=steps)
            sequence = self.drops[number](sequence) if self.drops else sequence
        return sequence, valid


def read(op: str, x: Any, config: SequenceConfig) -> tuple[jax.Array, Lengths | None]:
    """Return a sequence of the right shape and dtype, and its lengths, or raise.

    Tokens are 0 in padded steps; one out of range is told by the poison of its sequence.
    """
    lengths = None
    if isinstance(x, Mapping):
        if set(x) != set(PARTS):
            raise ValueError(
                explain(op, "x", got=f"a dict of {sorted(x)}", expected=f"a dict of {sorted(PARTS)}",
                        fix="{'sequence': ..., 'lengths': ...}, or the sequence alone")
            )  # fmt: skip
        x, lengths = x["sequence"], x["lengths"]
    if not config.vocabulary:
        x = _features(op, x, config.in_features)
        return x, None if lengths is None else _lengths.checked(op, lengths, x.shape[:2])
    x = _tokens(op, x)
    # Where the zeros tell the length, one between tokens is a gap.
    least = 1 if lengths is None else 0
    lengths = jnp.sum(x != 0, axis=1, dtype=jnp.int32) if lengths is None else lengths
    valid = _lengths.checked(op, lengths, x.shape)
    known = jnp.all((x >= least) & (x < config.vocabulary) | ~valid.mask, axis=1)
    x = jnp.where(valid.mask, x, 0)
    return x, valid._replace(poison=jnp.where(known, valid.poison, jnp.nan))


def _tokens(op: str, x: Any) -> jax.Array:
    x = _checks.widened(_checks.integer(op, "x", x))
    if x.ndim != 2 or not x.shape[1]:
        raise ShapeError(
            explain(op, "x", got=f"of shape {x.shape}", expected="(batch, time) tokens, one step or more",
                    fix="x[None] for a single sequence")
        )  # fmt: skip
    return x


def _features(op: str, x: Any, features: int) -> jax.Array:
    x = _checks.floating(op, "x", x)
    if x.ndim != 3 or not x.shape[1] or x.shape[2] != features:
        fix = "x[None] for a single sequence, x[..., None] for one feature" if x.ndim == 2 else (
            f"in_features={x.shape[-1]}" if x.ndim == 3 and x.shape[2] != features else "pass sequences"
        )  # fmt: skip
        raise ShapeError(
            explain(op, "x", got=f"of shape {x.shape}",
                    expected=f"(batch, time, {features}), one step or more", fix=fix)
        )  # fmt: skip
    return x
