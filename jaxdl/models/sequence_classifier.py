"""Many to one: a recurrent network that reads a sequence and names its class."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl._lengths import Lengths
from jaxdl.layers import last_step
from jaxdl.models._sequences import SequenceConfig, SequenceNet

POOLINGS = ("last", "mean")


@dataclasses.dataclass(frozen=True)
class SequenceClassifierConfig(SequenceConfig):
    """What makes a `SequenceClassifier`.

    Attributes:
        in_features: features of a step; with a vocabulary, the width of the embedding.
        num_classes: number of logits.
        widths: units of each recurrent layer, of one direction.
        cell: ``"lstm"``, ``"gru"`` or ``"rnn"``.
        bidirectional: read in both directions; the outputs of the two lie side by side.
        dropout: rate behind each layer, or the name of a hyperparameter that holds it.
        vocabulary: number of tokens, 0 among them, which is the padding; 0 for sequences of features.
        forget_bias: added to the bias of the LSTM's forget gate at the start, so that it remembers; other
            cells have none.
        pooling: ``"last"`` takes the output at the last valid step, and of the other direction at the first,
            so that each has read it all; ``"mean"`` the mean over the valid steps.

    Raises:
        ValueError: no layer, an unknown cell or pooling, or a number out of range.
        DtypeError: numbers that are not whole.
    """

    pooling: str = "last"

    def __post_init__(self) -> None:
        super().__post_init__()
        _checks.one_of(type(self).__name__, "pooling", self.pooling, POOLINGS)


class SequenceClassifier(SequenceNet):
    """Recurrent layers over a sequence, one vector of what they have read, and a linear head.

    What stands in steps behind a sequence's length changes neither the logits nor a gradient, by a bit. A
    length outside of [1, time], or a token outside of the vocabulary, makes the logits of its example NaN.

    Args:
        config: cell, widths, directions, pooling.
        rngs: the random streams of the constructor.

    Example:
        >>> from flax import nnx
        >>> config = SequenceClassifierConfig(in_features=3, num_classes=2, widths=(8,))
        >>> def classify(x):
        ...     return SequenceClassifier(config, rngs=nnx.Rngs(0))(x)
        >>> x = jnp.ones((4, 5, 3))
        >>> ragged = {"sequence": x, "lengths": jnp.array([5, 1, 2, 5])}
        >>> jax.eval_shape(classify, x).shape, jax.eval_shape(classify, ragged).shape
        ((4, 2), (4, 2))
    """

    config: SequenceClassifierConfig

    def __call__(self, x: Any) -> jax.Array:
        """Map sequences to logits (batch, classes).

        Args:
            x: sequences (batch, time, features); tokens (batch, time), in which 0 is the padding; or either
                of them in ``{"sequence": ..., "lengths": (batch,)}``, the number of valid steps of each.
        """
        outputs, valid = self.encode(x)
        logits = self.head(self._pool(outputs, valid))
        return logits if valid is None else logits * valid.poison[:, None].astype(logits.dtype)

    def _pool(self, outputs: jax.Array, valid: Lengths | None) -> jax.Array:
        if self.config.pooling == "mean":
            # The outputs of padded steps are 0.
            return jnp.sum(outputs, axis=1) / (outputs.shape[1] if valid is None else valid.steps[:, None])
        steps = None if valid is None else valid.steps
        return last_step(outputs, steps, bidirectional=self.config.bidirectional)
