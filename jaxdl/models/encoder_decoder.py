"""The encoder-decoder with attention: from one sequence to another of any other length."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from jaxdl import _checks
from jaxdl._tokens import END, PADDING, START
from jaxdl.errors import ShapeError, explain
from jaxdl.initializers import normal
from jaxdl.kernels import recurrent
from jaxdl.layers import Dropout, Embedding, Linear
from jaxdl.layers.recurrent import GRU, LSTM
from jaxdl.models import _configs, _translation
from jaxdl.models._translation import Memory
from jaxdl.sampling import beam_search

CELLS: dict[str, Any] = {"lstm": LSTM, "gru": GRU}


@dataclasses.dataclass(frozen=True)
class EncoderDecoderConfig:
    """What makes an `EncoderDecoder`.

    Attributes:
        source_vocabulary: tokens of the source, the special ones counted: ``len(vocabulary)``.
        target_vocabulary: tokens of the target.
        target_steps: steps that are decoded, at most; the end token takes one.
        features: units of the decoder, and of each direction of the encoder.
        embedding: features of an embedded token.
        cell: ``"lstm"`` or ``"gru"``.
        attention: how the decoder scores the encoder's states: ``"additive"``, ``"dot"`` or ``"scaled_dot"``;
            with ``"none"`` every step gets the last state of both directions, whatever it looks for.
        units: hidden units of the additive score.
        beams: translations that are kept at a time while one is written: 1 takes the likeliest token at each
            step, more search for the likeliest translation (`jaxdl.sampling.beam_search`). The parameters are
            the same: those trained with one serve a network with another.
        dropout: rate of dropout on embedded tokens and in front of the logits, or the name of a
            hyperparameter that holds it.

    Raises:
        ValueError: a number out of range, or an unknown cell or attention.
        DtypeError: numbers that are not whole.
    """

    source_vocabulary: int
    target_vocabulary: int
    target_steps: int
    features: int = 64
    embedding: int = 32
    cell: str = "lstm"
    attention: str = "additive"
    units: int = 64
    beams: int = 1
    dropout: float | str = 0.0

    def __post_init__(self) -> None:
        # Padding, start and end, and something to say.
        _configs.whole(self, "source_vocabulary", "target_vocabulary", least=4)
        _configs.whole(self, "target_steps", "features", "embedding", "units", "beams")
        _checks.one_of(type(self).__name__, "cell", self.cell, tuple(CELLS))
        _checks.one_of(type(self).__name__, "attention", self.attention, _translation.ATTENTIONS)
        _configs.rates(self, "dropout")


class EncoderDecoder(nnx.Module):
    """Read a sequence in both directions, then write another, looking back at what was read.

    The encoder gives a state a_t for each token of the source. At each step of the decoder, with state s,
    ``weights = softmax over t of score(s, a_t)``, ``context = sum_t weights_t a_t``, the cell takes the last
    token and the context, and the logits are linear in its new state and the context.

    The input decides what comes out. ``{"source": tokens, "target": tokens}`` gives logits (batch, target
    time, vocabulary) of each target token after those before it (teacher forcing: the start token is put in
    front here); 0 where the target is padding. ``{"source": tokens}``, or the source alone, gives a
    translation (batch, target_steps) of the likeliest tokens up to the end token, then padding. An example
    that is malformed (empty, a token out of range, padding before a token) gives NaN, and as tokens -1.

    The weights (batch, target time, source time) are what `attention_weights` returns, and the output
    "attention_map" of `Net.trace`.

    Args:
        config: vocabularies, sizes, kind of attention.
        rngs: the random streams of the constructor.

    Raises:
        ShapeError: tokens that are not (batch, time), or other numbers of sources and targets.
        DtypeError: tokens that are no integers.
        ValueError: a dict with other names.

    Example:
        >>> config = EncoderDecoderConfig(8, 6, 5, features=4, embedding=3, units=4)
        >>> from jaxdl.net import functional
        >>> net = functional(lambda rngs: EncoderDecoder(config, rngs=rngs))
        >>> params, state = jax.eval_shape(net.init, jax.random.key(0))
        >>> def shape(**x):
        ...     return jax.eval_shape(lambda p: net.apply(p, state, x, train=False)[0], params).shape
        >>> source, target = jnp.array([[4, 5, 6, 0]]), jnp.array([[5, 4, 2]])
        >>> shape(source=source, target=target), shape(source=source)
        ((1, 3, 6), (1, 5))

    Reference:
        Bahdanau, Cho and Bengio (2015), with an LSTM; Cho et al. (2014) without attention.
    """

    def __init__(self, config: EncoderDecoderConfig, *, rngs: nnx.Rngs) -> None:
        self.config = config
        features, embedding = config.features, config.embedding
        start = normal(stddev=embedding**-0.5)
        self.source_embedding, self.target_embedding = (
            Embedding(vocabulary, embedding, embedding_init=start, rngs=rngs)
            for vocabulary in (config.source_vocabulary, config.target_vocabulary)
        )
        self.encoder = CELLS[config.cell](embedding, features, bidirectional=True, rngs=rngs)
        self.bridge = Linear(2 * features, features, rngs=rngs)
        self.look = _translation.Look(config.attention, features, config.units, rngs=rngs)
        self.decoder = CELLS[config.cell](embedding + 2 * features, features, rngs=rngs)
        self.drop = Dropout(config.dropout, rngs=rngs)
        self.head = Linear(3 * features, config.target_vocabulary, rngs=rngs)
        self.attention_map = _translation.AttentionMap()

    def __call__(self, x: Any) -> jax.Array:
        """Map tokens to logits (batch, target time, vocabulary), or to tokens (batch, target_steps)."""
        source, target = _translation.read("EncoderDecoder", x)
        if target is None:
            return self._greedy(source)[0] if self.config.beams == 1 else self._search(source)
        if target.shape[1] > self.config.target_steps:
            raise ShapeError(
                explain("EncoderDecoder", "target", got=f"of {target.shape[1]} steps",
                        expected=f"at most target_steps={self.config.target_steps}, which are decoded",
                        fix=f"EncoderDecoderConfig(target_steps={target.shape[1]}, ...)")
            )  # fmt: skip
        return self._teach(source, target)[0]

    def attention_weights(self, x: Any) -> jax.Array:
        """Return the weights (batch, target time, source time) of the same input; rows of padding are 0."""
        if self.config.attention == "none":
            raise ValueError(
                explain("EncoderDecoder.attention_weights", "config.attention", got="'none'",
                        expected="a network with attention", fix="attention='additive'")
            )  # fmt: skip
        source, target = _translation.read("EncoderDecoder.attention_weights", x)
        if target is None and self.config.beams == 1:
            return self._greedy(source)[1]
        return self._teach(source, self._search(source) if target is None else target)[1]

    def encode(self, source: jax.Array) -> tuple[Memory, Any]:
        """Read a source (batch, time): what the decoder looks at, and its first carry."""
        sound = _translation.well_formed(source, self.config.source_vocabulary)
        mask = source != PADDING
        lengths = jnp.where(sound, jnp.sum(mask, axis=1, dtype=jnp.int32), source.shape[1])
        embedded = self.source_embedding(jnp.where(sound[:, None], source, PADDING))
        states, carry = self.encoder(self.drop(embedded), lengths=lengths)
        ends = carry if self.config.cell == "gru" else [hidden for hidden, _ in carry]
        last = jnp.concatenate(list(ends), axis=-1)
        first = jnp.tanh(self.bridge(last))
        memory = Memory(states, self.look.keys(states), last, mask, sound)
        return memory, first if self.config.cell == "gru" else (first, jnp.zeros_like(first))

    def step(self, memory: Memory, carry: Any, token: jax.Array) -> tuple[Any, tuple[jax.Array, jax.Array]]:
        """Take one step after a token (batch,): the carry, and logits (batch, vocabulary) and weights."""
        carry, (features, weights) = self._advance(memory, carry, self.target_embedding(token))
        return carry, (self.head(features), weights)

    def _advance(self, memory: Memory, carry: Any, embedded: jax.Array) -> tuple[Any, Any]:
        hidden = carry if self.config.cell == "gru" else carry[0]
        context, weights = self.look(hidden, memory)
        cell = self.decoder.layers[0].forward
        names = [name for name in recurrent.Weights._fields if hasattr(cell, name)]
        parameters = recurrent.Weights(**{name: getattr(cell, name)[...] for name in names})
        run = recurrent.gru_cell if self.config.cell == "gru" else recurrent.lstm_cell
        carry = run(jnp.concatenate([embedded, context], axis=-1), carry, parameters)
        hidden = carry if self.config.cell == "gru" else carry[0]
        return carry, (jnp.concatenate([hidden, context], axis=-1), weights)

    def _teach(self, source: jax.Array, target: jax.Array) -> tuple[jax.Array, jax.Array]:
        memory, carry = self.encode(source)
        there = target != PADDING
        sound = memory.sound & _translation.well_formed(target, self.config.target_vocabulary)
        shifted = jnp.concatenate([jnp.full_like(target[:, :1], START), target[:, :-1]], axis=1)
        fed = jnp.where(sound[:, None], shifted, PADDING)
        embedded = self.drop(jnp.where((fed != PADDING)[..., None], self.target_embedding(fed), 0))
        _, found = lax.scan(lambda carry, item: self._advance(memory, carry, item), carry,
                            jnp.swapaxes(embedded, 0, 1))  # fmt: skip
        features, weights = (jnp.swapaxes(part, 0, 1) for part in found)
        # The logits of all steps are one product.
        logits = jnp.where(there[..., None], self.head(self.drop(features)), 0)
        weights = _translation.poison(jnp.where(there[..., None], weights, 0), sound)
        return _translation.poison(logits, sound), self.attention_map(weights)

    def _greedy(self, source: jax.Array) -> tuple[jax.Array, jax.Array]:
        memory, carry = self.encode(source)

        def body(state: tuple[Any, jax.Array], _: None) -> tuple[Any, tuple[jax.Array, jax.Array]]:
            carry, last = state
            carry, (logits, weights) = self.step(memory, carry, jnp.maximum(last, PADDING))
            done = (last == END) | (last == PADDING)
            token = jnp.where(done, PADDING, _translation.chosen(_translation.poison(logits, memory.sound)))
            return (carry, token), (token, jnp.where(done[:, None], 0, weights))

        begin = jnp.full_like(source[:, 0], START)
        _, (tokens, weights) = lax.scan(body, (carry, begin), None, length=self.config.target_steps)
        weights = _translation.poison(jnp.swapaxes(weights, 0, 1), memory.sound)
        return jnp.swapaxes(tokens, 0, 1), self.attention_map(weights)

    def _search(self, source: jax.Array) -> jax.Array:
        def step(carry: tuple[Memory, Any], token: jax.Array) -> tuple[tuple[Memory, Any], jax.Array]:
            memory, inner = carry
            inner, (logits, _) = self.step(memory, inner, jnp.maximum(token, PADDING))
            allowed = jnp.arange(logits.shape[-1])[None] >= END
            return (memory, inner), _translation.poison(jnp.where(allowed, logits, -jnp.inf), memory.sound)

        options = {"beams": self.config.beams, "steps": self.config.target_steps}
        found = beam_search(step, self.encode(source), start=START, end=END, padding=PADDING, **options)
        return found.tokens[:, 0]
