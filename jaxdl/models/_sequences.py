"""What the networks of sequences have in common: the config, the recurrent layers, the door."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain
from jaxdl.layers import Dropout, Linear
from jaxdl.layers.recurrent import LSTM
from jaxdl.models import _configs

CELLS: dict[str, Any] = {"lstm": LSTM}
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


class SequenceNet(nnx.Module):
    """An embedding where there are tokens, recurrent layers with dropout behind each, and a linear head."""

    def __init__(self, config: SequenceConfig, *, rngs: nnx.Rngs) -> None:
        self.config = config
        sides = 2 if config.bidirectional else 1
        self.embedding = (
            nnx.Embed(config.vocabulary, config.in_features, rngs=rngs) if config.vocabulary else None
        )
        inputs = (config.in_features, *(sides * width for width in config.widths))
        options = {"bidirectional": True} if config.bidirectional else {}
        self.layers = nnx.List(
            CELLS[config.cell](fan_in, width, rngs=rngs, **options)
            for fan_in, width in zip(inputs, config.widths)
        )
        self.drops = nnx.List(
            Dropout(config.dropout, rngs=rngs) for _ in config.widths if config.dropout != 0
        )
        self.head = Linear(inputs[-1], config.num_classes, rngs=rngs)

    def encode(self, x: Any) -> tuple[jax.Array, jax.Array | None, jax.Array | None]:
        """Return the outputs of the last layer, the lengths, and by example 1, or NaN where it is malformed."""
        sequence, lengths = read(type(self).__name__, x, self.config)
        sound = None if lengths is None else soundness(sequence, lengths, x, self.config.vocabulary)
        if self.embedding is not None and lengths is not None:
            inside = jnp.arange(sequence.shape[1]) < lengths[:, None]
            # Clipped, as a token out of range is told by `sound`; padding may hold anything.
            sequence = jnp.clip(jnp.where(inside, sequence, 0), 0, self.config.vocabulary - 1)
            sequence = self.embedding(sequence)
        for number, layer in enumerate(self.layers):
            sequence, _ = layer(sequence, lengths=lengths)
            sequence = self.drops[number](sequence) if self.drops else sequence
        return sequence, lengths, sound


def read(op: str, x: Any, config: SequenceConfig) -> tuple[jax.Array, jax.Array | None]:
    """Return a sequence of the right shape and dtype, and its lengths, or raise."""
    lengths = None
    if isinstance(x, Mapping):
        if set(x) != set(PARTS):
            raise ValueError(
                explain(op, "x", got=f"a dict of {sorted(x)}", expected=f"a dict of {sorted(PARTS)}",
                        fix="{'sequence': ..., 'lengths': ...}, or the sequence alone")
            )  # fmt: skip
        x, lengths = x["sequence"], _checks.integer(op, "x['lengths']", x["lengths"])
    x = _tokens(op, x) if config.vocabulary else _features(op, x, config.in_features)
    if lengths is not None and lengths.shape != x.shape[:1]:
        raise ShapeError(
            explain(op, "x['lengths']", got=f"of shape {lengths.shape}", expected=f"{x.shape[:1]}",
                    fix="one number of valid steps for each sequence")
        )  # fmt: skip
    if lengths is None and config.vocabulary:
        lengths = jnp.sum(x != 0, axis=1, dtype=jnp.int32)
    return x, lengths


def soundness(sequence: jax.Array, lengths: jax.Array, x: Any, vocabulary: int) -> jax.Array:
    """Return 1 by example, and NaN where a length or a token within it is out of range."""
    time = sequence.shape[1]
    sound = (lengths >= 1) & (lengths <= time)
    if vocabulary:
        # Where the zeros tell the length, one between tokens would be a gap.
        least = 0 if isinstance(x, Mapping) else 1
        known = (sequence >= least) & (sequence < vocabulary)
        sound &= jnp.all(known | (jnp.arange(time) >= lengths[:, None]), axis=1)
    return jnp.where(sound, 1.0, jnp.nan)


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
