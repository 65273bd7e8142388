"""Drawn people, photographed in many ways: faces to recognise, without any download."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.data import _faces
from jaxdl.data.dataset import Dataset

_CHUNK = 64  # photographs of one call of the compiled program


def people(
    key: jax.Array,
    people: int,
    photographs: int,
    *,
    size: int = 32,
    variety: float = 1.0,
    noise: float = 0.03,
) -> Dataset:
    """Draw photographs of people who do not exist: each has a face of their own, each photograph differs.

    A person is a shape of the head, skin, hair, eyes, brows, nose, mouth, perhaps a beard or glasses; a
    photograph a turn of the head, light from somewhere, an expression, a white balance, clothes and a wall.
    Photograph j of person i hangs on the key, i and j alone, and on the size.

    Args:
        key: random key; another key draws other people.
        people: how many, each a class.
        photographs: of each person.
        size: height and width in pixels.
        variety: how much photographs of one person differ, in [0, 1]; 0: in their noise alone.
        noise: standard deviation of the noise, images being [0, 1].

    Returns:
        A `Dataset`: inputs (people * photographs, size, size, 3) uint8, the photographs of a person in a
        row; targets the number of the person; classes ``"person 0"`` and so on.

    Raises:
        DtypeError: no typed key, or numbers of another kind.
        ValueError: a number out of range.

    Example:
        >>> people(jax.random.key(0), 3, 2, size=16)
        Dataset(6 examples, inputs uint8 (16, 16, 3), 3 classes)
    """
    op, key = "people", _checks.key("people", key)
    people = _checks.positive_integer(op, "people", people)
    photographs = _checks.positive_integer(op, "photographs", photographs)
    size = _checks.positive_integer(op, "size", size, least=8)
    _checks.in_range(op, "variety", variety, 0, 1 + 1e-9, "[0, 1]")
    _checks.in_range(op, "noise", noise, 0, float("inf"), "[0, inf)")
    count = people * photographs
    which = np.arange(-(-count // _CHUNK) * _CHUNK, dtype=np.uint32).reshape(-1, _CHUNK)
    chunks = [
        jax.device_get(_chunk(key, rows // photographs, rows % photographs, size, variety, noise))
        for rows in which
    ]
    labels = np.arange(count, dtype=np.int32) // photographs
    return Dataset(np.concatenate(chunks)[:count], labels, tuple(f"person {i}" for i in range(people)))


@partial(jax.jit, static_argnums=3)
def _chunk(
    key: jax.Array, person: jax.Array, photograph: jax.Array, size: int, variety: float, noise: float
) -> jax.Array:
    one = partial(_photograph, key, size=size, variety=jnp.asarray(variety), noise=noise)
    return jax.vmap(one)(person, photograph)


def _photograph(
    key: jax.Array, person: jax.Array, photograph: jax.Array, *, size: int, variety: jax.Array, noise: float
) -> jax.Array:
    """Return one photograph (size, size, 3) uint8."""
    own = jax.random.fold_in(key, person)
    who = _faces.person(jax.random.uniform(jax.random.fold_in(own, 0), (_faces.OWN,), jnp.float32))
    # One call for all: each takes a second to compile.
    shape = (_faces.TAKEN + 3 * size**2,)
    numbers = jax.random.uniform(jax.random.fold_in(own, photograph + 1), shape, jnp.float32)
    how = _faces.shot(numbers[: _faces.TAKEN], variety)
    grain = jnp.sqrt(2.0) * jax.lax.erf_inv(2 * jnp.maximum(numbers[_faces.TAKEN :], 1e-7) - 1)
    image = _faces.draw(who, how, size) + noise * grain.reshape(size, size, 3)
    return jnp.rint(255 * jnp.clip(image, 0, 1)).astype(jnp.uint8)
