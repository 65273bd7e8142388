"""The order of the examples: a pure function of (order key, epoch), whatever the model does."""

import math

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.errors import explain
from jaxdl.train.by_class import ByClass

SORTED_BELOW = 256
ROUNDS = 8
SHUFFLES = ("permutation", "replacement", "none")


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """Return how many full batches an epoch has: ``examples // batch_size``.

    Args:
        examples: number of training examples.
        batch_size: examples a step.

    Returns:
        The number of steps, at least 1.

    Raises:
        ValueError: `batch_size` exceeds the examples.

    Example:
        >>> steps_per_epoch(1198, 32)
        37
    """
    _checks.positive_integer("steps_per_epoch", "batch_size", batch_size)
    if batch_size > examples:
        raise ValueError(
            explain("train", "batch_size", got=batch_size, expected=f"at most {examples}, the examples",
                    fix=f"batch_size={examples}")
        )  # fmt: skip
    return examples // batch_size


def batch_order(
    order: jax.Array,
    epoch: jax.Array | int,
    *,
    examples: int,
    batch_size: int,
    shuffle: str | ByClass = "permutation",
) -> jax.Array:
    """Return which examples each step of an epoch sees.

    Args:
        order: typed key of the run's order, apart from the key of its parameters.
        epoch: number of the epoch, counted from 0; may be traced.
        examples: number of training examples.
        batch_size: examples a step.
        shuffle: ``"permutation"``: shuffled anew every epoch, every example at most once; the
            ``examples % batch_size`` left over are others each epoch. ``"replacement"``: drawn with
            replacement. ``"none"``: in sequence, each epoch going on where the last one stopped.
            What `by_class` returns: some classes, with some examples of each.

    Returns:
        int32 array (steps, batch_size).

    Raises:
        DtypeError: `order` is no typed key.
        ShapeError: classes of another number of examples.
        ValueError: `batch_size` exceeds the examples or is no multiple of `per_class`; an unknown `shuffle`.

    Example:
        >>> batch_order(jax.random.key(0), 1, examples=5, batch_size=2, shuffle="none").tolist()
        [[4, 0], [1, 2]]
    """
    check_shuffle("batch_order", shuffle)
    key = jax.random.fold_in(_checks.key("batch_order", order), epoch)
    steps = steps_per_epoch(examples, batch_size)
    if isinstance(shuffle, ByClass):
        classes = shuffle.check("batch_order", examples, batch_size)
        return shuffle.draw(key, steps=steps, classes=classes)
    shape = (steps, batch_size)
    if shuffle == "replacement":
        return jax.random.randint(key, shape, 0, examples, jnp.int32)
    if shuffle == "none":
        start = (jnp.asarray(epoch, jnp.int32) * (steps * batch_size)) % examples
        stream = jnp.arange(steps * batch_size, dtype=jnp.int32)
        return ((start + stream) % examples).reshape(shape)
    shuffled = _sorted(key, examples) if examples < SORTED_BELOW else _enciphered(key, examples)
    return shuffled[: steps * batch_size].reshape(shape)


def check_shuffle(op: str, shuffle: str | ByClass) -> None:
    """Raise `ValueError` unless `shuffle` is the name of an order, or what `by_class` returned."""
    if getattr(shuffle, "__name__", shuffle) == "by_class":
        raise ValueError(
            explain(op, "shuffle", got="by_class itself", expected="what it returns for the training labels",
                    fix="shuffle=train.by_class(training, per_class=4)")
        )  # fmt: skip
    if not isinstance(shuffle, ByClass):
        _checks.one_of(op, "shuffle", shuffle, SHUFFLES)


def _sorted(key: jax.Array, examples: int) -> jax.Array:
    bits = jax.random.bits(key, (2, examples), jnp.uint32)
    index = jnp.arange(examples, dtype=jnp.int32)
    return jax.lax.sort((bits[0], bits[1], index), num_keys=2)[2]


def _enciphered(key: jax.Array, examples: int) -> jax.Array:
    """Permute [0, examples) by a keyed cipher: six times faster than sorting random numbers.

    A Feistel network over a rectangle a x b that just holds the examples (its halves are added modulo a
    and b), with cycle walking: what falls outside is enciphered again. Black and Rogaway (2002).
    """
    rows = math.isqrt(examples - 1) + 1
    sides = jnp.uint32(rows), jnp.uint32(-(-examples // rows))
    keys = jax.random.bits(key, (ROUNDS,), jnp.uint32)

    def encipher(x: jax.Array) -> jax.Array:
        halves = [x // sides[1], x % sides[1]]
        for number in range(ROUNDS):
            side = number % 2
            mask = _hash(halves[1 - side] ^ keys[number]) % sides[side]
            halves[side] = (halves[side] + mask) % sides[side]
        return halves[0] * sides[1] + halves[1]

    first = encipher(jnp.arange(examples, dtype=jnp.uint32))
    walked = jax.lax.while_loop(
        lambda x: jnp.any(x >= examples), lambda x: jnp.where(x >= examples, encipher(x), x), first
    )
    return walked.astype(jnp.int32)


def _hash(x: jax.Array) -> jax.Array:
    """Mix 32 bits; the multipliers are those of Wellons' lowbias32."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)
