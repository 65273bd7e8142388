"""Many to many of equal length: a recurrent network that names a class at every step."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxdl.models._sequences import SequenceConfig, SequenceNet


@dataclasses.dataclass(frozen=True)
class SequenceTaggerConfig(SequenceConfig):
    """What makes a `SequenceTagger`.

    Attributes:
        in_features: features of a step; with a vocabulary, the width of the embedding.
        num_classes: number of logits of a step.
        widths: units of each recurrent layer, of one direction.
        cell: ``"lstm"``, ``"gru"`` or ``"rnn"``.
        bidirectional: read in both directions, so that a step is told by what follows it too.
        dropout: rate behind each layer, or the name of a hyperparameter that holds it.
        vocabulary: number of tokens, 0 among them, which is the padding; 0 for sequences of features.
        forget_bias: added to the bias of the LSTM's forget gate at the start, so that it remembers; other
            cells have none.

    Raises:
        ValueError: no layer, an unknown cell, or a number out of range.
        DtypeError: numbers that are not whole.
    """


class SequenceTagger(SequenceNet):
    """Recurrent layers over a sequence, and one linear head on the output of every step.

    What stands in steps behind a sequence's length changes neither the logits nor a gradient, by a bit; the
    logits of these steps are 0. A length outside of [1, time], or a token outside of the vocabulary, makes
    the logits of its example NaN.

    Args:
        config: cell, widths, directions.
        rngs: the random streams of the constructor.

    Example:
        >>> from flax import nnx
        >>> config = SequenceTaggerConfig(in_features=4, num_classes=3, widths=(8,), vocabulary=6)
        >>> def tag(tokens):
        ...     return SequenceTagger(config, rngs=nnx.Rngs(0))(tokens)
        >>> jax.eval_shape(tag, jnp.array([[1, 5, 2, 3], [4, 4, 0, 0]])).shape
        (2, 4, 3)
    """

    def __call__(self, x: Any) -> jax.Array:
        """Map sequences to logits (batch, time, classes).

        Args:
            x: sequences (batch, time, features); tokens (batch, time), in which 0 is the padding; or either
                of them in ``{"sequence": ..., "lengths": (batch,)}``, the number of valid steps of each.
        """
        outputs, valid = self.encode(x)
        logits = self.head(outputs)
        if valid is None:
            return logits
        return jnp.where(valid.mask[..., None], logits, 0) * valid.poison[:, None, None].astype(logits.dtype)
