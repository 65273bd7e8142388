"""A recurrent network that predicts the next token of a text."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxdl import _checks, _targets
from jaxdl._tokens import PADDING
from jaxdl.errors import DtypeError, ShapeError, explain
from jaxdl.layers import GRU, LSTM, RNN, Dropout, Embedding, Linear
from jaxdl.models import _configs

CELLS: dict[str, Any] = {"gru": GRU, "lstm": LSTM, "rnn": RNN}


@dataclasses.dataclass(frozen=True)
class LanguageModelConfig:
    """What makes a `LanguageModel`.

    Attributes:
        vocabulary_size: how many tokens there are, ``len(vocabulary)``; 0 is the padding.
        cell: ``"lstm"``, ``"gru"`` or ``"rnn"``.
        features: size of the state of a layer.
        num_layers: recurrent layers.
        embedding_features: size of the vector of a token.
        num_classes: classes that a text may be of, which the state begins with; 0: there are none.
        dropout: rate between the layers and before the logits, or the name of a hyperparameter.

    Raises:
        ValueError: an unknown cell, or a number out of range.
        DtypeError: numbers that are not whole.
    """

    vocabulary_size: int
    cell: str = "lstm"
    features: int = 128
    num_layers: int = 1
    embedding_features: int = 32
    num_classes: int = 0
    dropout: float | str = 0.0

    def __post_init__(self) -> None:
        _checks.one_of("LanguageModelConfig", "cell", self.cell, CELLS)
        _configs.whole(self, "vocabulary_size", least=2)
        _configs.whole(self, "features", "num_layers", "embedding_features")
        _configs.whole(self, "num_classes", least=0)
        _configs.rates(self, "dropout")


class LanguageModel(nnx.Module):
    """Vectors of tokens, a recurrent stack, and the logits of the next token: ``P(x_{t+1} | x_1, ..., x_t)``.

    It learns on whole texts: the input is a text behind its start token, the target the same text one step
    earlier, with its end token (`jaxdl.data.Vocabulary`). Tokens that are 0 are padding behind a text: they
    change nothing, and their logits are 0. An example with padding before a token is NaN, and one with a
    number that is no token of the vocabulary is NaN from there on.

    With classes (one to many) each class has a vector that is the state to begin with, through tanh.

    To generate, bind the module to trained parameters and give its `step` to `jaxdl.sampling`.

    Args:
        config: sizes, cell and classes.
        rngs: the random streams of the constructor.

    Example:
        >>> from jaxdl import net, sampling
        >>> config = LanguageModelConfig(vocabulary_size=9, features=4, embedding_features=3)
        >>> network = net.functional(lambda rngs: LanguageModel(config, rngs=rngs))
        >>> def write(key):
        ...     model = network.bind(*network.init(key))
        ...     logits = model(jnp.array([[1, 5, 6], [1, 8, 0]]))
        ...     return logits, sampling.generate(model.step, model.initial(2), key, steps=7, start=1, end=2)
        >>> logits, found = jax.eval_shape(write, jax.random.key(0))
        >>> logits.shape, found.tokens.shape
        ((2, 3, 9), (2, 7))

    Reference:
        Mikolov et al. (2010); Graves (2013), arXiv:1308.0850.
    """

    def __init__(self, config: LanguageModelConfig, *, rngs: nnx.Rngs) -> None:
        self.config = config
        between = {"dropout": config.dropout} if config.num_layers > 1 else {}
        self.embedding = Embedding(config.vocabulary_size, config.embedding_features, rngs=rngs)
        self.recurrent = CELLS[config.cell](
            config.embedding_features, config.features, num_layers=config.num_layers, rngs=rngs, **between
        )
        self.dropout = Dropout(config.dropout, rngs=rngs)
        self.head = Linear(config.features, config.vocabulary_size, rngs=rngs)
        if config.num_classes:
            self.beginning = Embedding(config.num_classes, sum(self._sizes()), rngs=rngs)

    def __call__(self, x: Any) -> jax.Array:
        """Map tokens to the logits of the next ones.

        Args:
            x: tokens (batch, time), integers; with classes {"tokens": (batch, time), "classes": (batch,)}.

        Returns:
            Logits (batch, time, vocabulary), 0 where there is padding.
        """
        tokens, classes = self._inputs(x)
        carry = None if classes is None else self.initial(len(classes), classes)
        return self.run(tokens, carry)[0]

    def run(self, tokens: jax.Array, carry: Any = None) -> tuple[jax.Array, Any]:
        """Run over tokens (batch, time) from a carry: a long text can be taken in pieces.

        Args:
            tokens: integers, 0 where there is padding, which comes last.
            carry: what an earlier call returned, or `initial`; None: zeros.

        Returns:
            Logits (batch, time, vocabulary), and the carry behind the last token that is no padding.
        """
        if jnp.ndim(tokens) != 2:
            raise ShapeError(
                explain("LanguageModel.run", "tokens", got=f"of shape {jnp.shape(tokens)}",
                        expected="(batch, time)", fix="tokens[None] for one text")
            )  # fmt: skip
        inside = tokens != PADDING
        lengths = jnp.sum(inside, axis=1, dtype=jnp.int32)
        steps = jnp.arange(tokens.shape[1], dtype=jnp.int32)[None]
        x = self.embedding(tokens)
        # A token behind padding would be taken for padding.
        sound = _targets.poison(jnp.all(inside == (steps < lengths[:, None]), axis=1), x.dtype)[:, None, None]
        # From a given carry on, a text may be padding alone.
        if carry is None:
            carry = self._carry([jnp.zeros_like(x, shape=(len(x), size)) for size in self._sizes()])
        y, carry = self.recurrent(x * sound, lengths=lengths, carry=carry)
        y = y * sound
        return jnp.where(inside[..., None], self.head(self.dropout(y)), 0), carry

    def step(self, carry: Any, tokens: jax.Array) -> tuple[Any, jax.Array]:
        """Take one step after tokens (batch,): the new carry, and the logits (batch, vocabulary)."""
        y, carry = self.recurrent(self.embedding(tokens)[:, None], carry=carry)
        return carry, self.head(y[:, 0])

    def initial(self, batch: int, classes: jax.Array | None = None) -> Any:
        """Return the carry that a text begins with.

        Args:
            batch: how many texts.
            classes: their classes, (batch,) integers, where the model has classes; else None.

        Returns:
            The carry: of each layer h, or (h, c), (batch, features).
        """
        if (classes is not None) != bool(self.config.num_classes):
            raise ValueError(
                explain("LanguageModel.initial", "classes", got="None" if classes is None else "given",
                        expected=f"classes of a model with {self.config.num_classes} of them",
                        fix="LanguageModelConfig(num_classes=...), and the classes of the texts")
            )  # fmt: skip
        batch = _checks.positive_integer("LanguageModel.initial", "batch", batch)
        if classes is not None and jnp.shape(classes) != (batch,):
            raise ShapeError(
                explain("LanguageModel.initial", "classes", got=f"of shape {jnp.shape(classes)}",
                        expected=f"one a text, {(batch,)}", fix="initial(len(classes), classes)")
            )  # fmt: skip
        sizes = self._sizes()
        if classes is None:
            parts: list[Any] = [jnp.zeros((batch, size), self.head.kernel[...].dtype) for size in sizes]
        else:
            ends = [sum(sizes[: i + 1]) for i in range(len(sizes) - 1)]
            parts = jnp.split(jnp.tanh(self.beginning(classes)), ends, axis=-1)
        return self._carry(parts)

    def _carry(self, parts: list[Any]) -> Any:
        """Return the arrays of the carry as the recurrent layer takes them."""
        if self.config.cell == "lstm":
            parts = list(zip(parts[::2], parts[1::2], strict=True))
        return parts[0] if self.config.num_layers == 1 else tuple(parts)

    def _sizes(self) -> list[int]:
        """Return the sizes of the arrays of the carry."""
        memory = 2 if self.config.cell == "lstm" else 1
        return [self.config.features] * (memory * self.config.num_layers)

    def _inputs(self, x: Any) -> tuple[jax.Array, jax.Array | None]:
        named = bool(self.config.num_classes)
        if isinstance(x, Mapping) != named or (named and set(x) != {"tokens", "classes"}):
            got = f"a dict of {sorted(x)}" if isinstance(x, Mapping) else f"a {type(x).__name__}"
            raise DtypeError(
                explain("LanguageModel", "x", got=got, fix="as the config has classes, or none",
                        expected="a dict of 'tokens' and 'classes'" if named else "an array of tokens")
            )  # fmt: skip
        tokens = _checks.integer("LanguageModel", "tokens", x["tokens"] if named else x)
        classes = _checks.integer("LanguageModel", "classes", x["classes"]) if named else None
        if (
            tokens.ndim != 2
            or tokens.shape[1] < 1
            or (classes is not None and classes.shape != tokens.shape[:1])
        ):
            got = f"of shape {tokens.shape}" + ("" if classes is None else f", with classes {classes.shape}")
            raise ShapeError(
                explain("LanguageModel", "tokens", got=got, expected="(batch, time)" + ", (batch,)" * named,
                        fix="data.pad(sequences) makes one array of sequences")
            )  # fmt: skip
        return tokens, classes
