"""A tree of arrays as a few long buffers and a table of its leaves: writing 30 small leaves costs as one."""

import hashlib
from collections.abc import Collection
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _trees
from jaxdl.errors import DtypeError, ShapeError, explain

Buffers = dict[str, np.ndarray]


class Leaf(NamedTuple):
    """Where one leaf of the tree lies.

    Attributes:
        name: its path in the tree, such as "params/layers/0/kernel".
        dtype: its dtype; that of a typed PRNG key is such as "key<fry>".
        shape: its shape.
        stored: shape of the numbers: of a key, that of its key data.
        buffer: name of the buffer that holds them.
        offset: its first element there.
        impl: name of the generator of a key, else None.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    stored: tuple[int, ...]
    buffer: str
    offset: int
    impl: str | None


class Packed(NamedTuple):
    """A tree on the host: its leaves, and the buffers that hold them."""

    leaves: list[Leaf]
    buffers: Buffers


def pack(tree: Any) -> Packed:
    """Copy a tree of arrays to the host, one buffer for each dtype."""
    named = {name: _data(name, leaf) for name, leaf in _trees.named_leaves(tree).items()}
    for data, _ in named.values():
        if isinstance(data, jax.Array):
            data.copy_to_host_async()
    leaves: list[Leaf] = []
    parts: dict[str, list[np.ndarray]] = {}
    ends: dict[str, int] = {}
    for (name, (data, impl)), leaf in zip(named.items(), jax.tree.leaves(tree), strict=True):
        array = np.asarray(data)
        # What NumPy has no dtype of its own for, such as bfloat16, is kept as bytes.
        flat = array.reshape(-1) if array.dtype.kind in "biufc" else np.frombuffer(array.tobytes(), np.uint8)
        buffer = array.dtype.name
        offset = ends.setdefault(buffer, 0)
        leaves.append(Leaf(name, str(leaf.dtype), leaf.shape, array.shape, buffer, offset, impl))
        parts.setdefault(buffer, []).append(flat)
        ends[buffer] += flat.size
    return Packed(leaves, {name: np.concatenate(parts[name]) for name, end in ends.items() if end})


def unpack(packed: Packed, like: Any) -> Any:
    """Return the tree `like` with the packed values, each placed as the leaf of `like` is."""
    check_like(packed.leaves, like)
    saved = {leaf.name: leaf for leaf in packed.leaves}
    placed = [_placed(saved[name], packed.buffers, kind) for name, kind in _trees.named_leaves(like).items()]
    return jax.tree.unflatten(jax.tree.structure(like), placed)


def check_like(leaves: list[Leaf], like: Any) -> None:
    """Raise `ShapeError` or `DtypeError` that names the first leaf in which `like` differs."""
    saved, wanted = {leaf.name: leaf for leaf in leaves}, _trees.named_leaves(like)
    for name in [*saved, *wanted]:
        if name not in saved or name not in wanted:
            raise ShapeError(
                explain("restore", "like", got=f"a tree {'with' if name in wanted else 'without'} '{name}'",
                        expected="the leaves of the saved tree", fix="resume with the parts of the saved run")
            )  # fmt: skip
        (shape, dtype), leaf = (wanted[name].shape, str(wanted[name].dtype)), saved[name]
        if shape != leaf.shape:
            raise ShapeError(
                explain("restore", name, got=f"of shape {shape}",
                        expected=f"{leaf.shape}, as saved", fix="resume with the shapes of the saved run")
            )  # fmt: skip
        if dtype != leaf.dtype:
            raise DtypeError(
                explain("restore", name, got=f"of dtype {dtype}",
                        expected=f"{leaf.dtype}, as saved", fix="resume with the dtypes of the saved run")
            )  # fmt: skip


def unhealthy(packed: Packed, nan: Collection[str] = (), infinite: Collection[str] = ()) -> str | None:
    """Name the first leaf that holds NaN or infinity, outside the groups where these are allowed."""
    for leaf in packed.leaves:
        group = leaf.name.partition("/")[0]
        if leaf.impl or group in nan:
            continue
        low, high = _extremes(_flat(leaf, packed.buffers))
        if np.isnan(low):
            return f"'{leaf.name}' with NaN"
        if group not in infinite and np.isinf([low, high]).any():
            return f"'{leaf.name}' with infinity"
    return None


def digests(buffers: Buffers) -> dict[str, dict[str, Any]]:
    """Return dtype, length and SHA-256 of every buffer, as it is in memory."""
    return {
        name: {
            "dtype": buffer.dtype.str,
            "length": buffer.size,
            "sha256": hashlib.sha256(buffer.data).hexdigest(),
        }
        for name, buffer in buffers.items()
    }


def _data(name: str, leaf: Any) -> tuple[Any, str | None]:
    """Return the numbers of a leaf, whole on this process, and the generator's name where it is a key."""
    if not isinstance(leaf, jax.Array | np.ndarray | np.generic) or leaf.dtype == np.dtype(object):
        raise DtypeError(
            explain("save", f"tree['{name}']", got=f"a {type(leaf).__name__}", expected="an array",
                    fix="put numbers and text into the record")
        )  # fmt: skip
    if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
        # Every process takes part in gathering what lies on several of them.
        mesh = getattr(leaf.sharding, "mesh", None)
        if mesh is not None and not leaf.is_fully_replicated:
            leaf = jax.device_put(leaf, jax.NamedSharding(mesh, jax.P()))
        leaf = leaf.addressable_data(0)
    if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return leaf, None
    impl = jax.random.key_impl(leaf)
    if not isinstance(impl, str):
        raise DtypeError(
            explain("save", f"tree['{name}']", got=f"a key of the generator {impl}",
                    expected="a generator that has a name", fix="jax.random.key(seed)")
        )  # fmt: skip
    return jax.random.key_data(leaf), impl


def _flat(leaf: Leaf, buffers: Buffers) -> np.ndarray:
    """Return the numbers of a leaf, without a copy, as one row."""
    dtype = jnp.dtype(leaf.buffer)
    buffer = buffers.get(leaf.buffer, np.zeros(0, dtype))
    size = int(np.prod(leaf.stored)) * dtype.itemsize // buffer.dtype.itemsize
    return buffer[leaf.offset : leaf.offset + size].view(dtype)


def _placed(leaf: Leaf, buffers: Buffers, like: Any) -> Any:
    array = _flat(leaf, buffers).reshape(leaf.stored)
    if isinstance(like, np.ndarray | np.generic):
        return array.copy()
    # A leaf without a sharding, or one that no device was chosen for, is free to follow the others.
    sharding = getattr(like, "sharding", None) if getattr(like, "committed", True) else None
    found = array if leaf.impl is None else jax.random.wrap_key_data(jnp.asarray(array), impl=leaf.impl)
    return jax.device_put(found, sharding)


def _extremes(flat: np.ndarray) -> tuple[Any, Any]:
    """Return the least and the greatest number of a row; a NaN is both."""
    if flat.size == 0 or jnp.issubdtype(flat.dtype, jnp.integer) or flat.dtype == bool:
        return 0, 0
    if jnp.issubdtype(flat.dtype, jnp.complexfloating):
        flat = flat.view(flat.real.dtype)
    if flat.dtype.kind == "V":  # bfloat16 and its like: NumPy compares them by the slow way
        flat = flat.astype(np.float32)
    return np.min(flat), np.max(flat)
