"""A tree of arrays in one file, and back."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks, _trees
from jaxdl.errors import DtypeError, FormatError, explain
from jaxdl.weights import _format
from jaxdl.weights._write import write

WHAT = "file of jaxdl.weights.save"


def save(path: str | Path, tree: Any, *, metadata: Mapping[str, Any] | None = None) -> str:
    """Write a tree of arrays to one safetensors file, whole or not at all, under a SHA-256.

    The leaves are named by their paths, as in ``layers/0/kernel``; a slash inside of a key is written
    ``~1``, and a tilde ``~0``. What holds no array (None, an empty dict) leaves no trace: `load` brings it
    back from `like`. File and folder are flushed to the disk before this returns.

    Args:
        path: where to; by custom it ends in ``.safetensors``.
        tree: nested dicts, lists, tuples or other pytrees of arrays: bool, integers, float16 to float64,
            bfloat16, float8_e4m3fn, float8_e5m2, complex64.
        metadata: what else to keep, as JSON: a dict of text, numbers, lists and dicts.

    Returns:
        The SHA-256 over metadata and arrays, 64 hexadecimal digits; it does not depend on the time.

    Raises:
        DtypeError: a leaf that is no array or of another dtype, such as a typed key; metadata that are no
            JSON; a single array in the place of a tree.
        ValueError: two leaves of one name, or one called ``__metadata__``; a dict with keys of several
            kinds, such as ``0`` and ``"0"``.
        OSError: the file cannot be written; what was there before is still there.

    Example:
        >>> import tempfile
        >>> tree = {"kernel": jnp.ones((2, 3), jnp.bfloat16), "steps": [jnp.int32(7)]}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     digest = save(Path(folder) / "w.safetensors", tree, metadata={"epochs": 3})
        ...     found = load(Path(folder) / "w.safetensors", like=tree)
        >>> len(digest), found["kernel"].dtype.name, int(found["steps"][0])
        (64, 'bfloat16', 7)
    """
    content, digest = _format.encode({"metadata": _json(metadata)}, named_arrays("save", tree))
    write(Path(path), content)
    return digest


def load(path: str | Path, like: Any = None, *, digest: str | None = None, verify: bool = True) -> Any:
    """Read a tree that `save` wrote, verified by its SHA-256.

    Files of `jaxdl.train.save` are read as well, as ``{"params": ..., "state": ..., "scaling": ...}``.

    Args:
        path: the file.
        like: the tree that is expected, of arrays or of `jax.ShapeDtypeStruct`; names, shapes and dtypes
            are compared. None: nested dicts by name, in which a list has become ``{"0": ..., "1": ...}``.
        digest: the SHA-256 that `save` returned, when it must be that very file. The one inside of the file
            finds damage; only one from elsewhere finds a file that was exchanged.
        verify: False reads a safetensors file of another make too, and hashes nothing: values that were
            damaged on the way are then not found.

    Returns:
        NumPy arrays on the host, bit for bit, in the structure of `like`; `jax.device_put` takes them to a
        device or a sharding.

    Raises:
        FormatError: damaged, of a newer version, of another make, another digest, or not like `like`: it
            names the leaf.
        ValueError: a digest to compare with, and nothing verified.
        OSError: the file cannot be read.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     digest = save(Path(folder) / "w.safetensors", {"a": {"b": jnp.arange(3)}})
        ...     found = load(Path(folder) / "w.safetensors", digest=digest)
        >>> found["a"]["b"].tolist()
        [0, 1, 2]
    """
    if digest is not None and not verify:
        raise ValueError(explain("load", "digest", got="given with verify=False", expected="verify=True",
                                 fix="leave one of them out"))  # fmt: skip
    path = Path(path)
    arrays = _format.read(path, what=WHAT, verify=verify, expected=digest).arrays
    return _nested(path, arrays) if like is None else _filled(path, like, arrays)


def metadata(path: str | Path) -> dict[str, Any]:
    """Return what was given to `save` as metadata, verified with the whole file.

    Args:
        path: the file.

    Returns:
        The dict, empty where none was given.

    Raises:
        FormatError: as in `load`.
        OSError: the file cannot be read.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     digest = save(Path(folder) / "w.safetensors", {"w": jnp.ones(2)}, metadata={"epochs": 3})
        ...     metadata(Path(folder) / "w.safetensors")
        {'epochs': 3}
    """
    found = _format.read(Path(path), what=WHAT).header.get("metadata")
    return found if isinstance(found, dict) else {}


def _json(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    kept = dict(metadata or {})
    try:
        found = json.loads(json.dumps(kept, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise DtypeError(
            explain("save", "metadata", got=f"no JSON ({error})", expected="a dict of JSON values",
                    fix="put arrays into the tree")
        ) from error  # fmt: skip
    if set(found) != set(kept):
        raise DtypeError(
            explain("save", "metadata", got=f"with the keys {list(kept)}", expected="text as keys",
                    fix="{str(key): value for key, value in metadata.items()}")
        )  # fmt: skip
    return found


def named_arrays(op: str, tree: Any) -> dict[str, np.ndarray]:
    """Return the leaves of a tree as NumPy arrays by name, in their order; raise when no file holds them."""
    try:
        named = _trees.named_leaves(tree)
    except (TypeError, ValueError) as error:  # as from keys 0 and "0", which jax cannot sort
        raise ValueError(
            explain(op, "tree", got=f"a tree that cannot be taken apart ({error})",
                    expected="the keys of a dict all text, or all numbers", fix="make all keys text")
        ) from error  # fmt: skip
    if "" in named:
        raise DtypeError(
            explain(op, "tree", got=f"a {type(tree).__name__}, or holds a key that is empty",
                    expected="a dict, list or tuple of arrays", fix="save(path, {'w': array})")
        )  # fmt: skip
    if len(named) != len(jax.tree.leaves(tree)) or "__metadata__" in named:
        raise ValueError(
            explain(op, "tree", got="a tree with two leaves of one name, or '__metadata__'",
                    expected="names of their own", fix="rename the keys")
        )  # fmt: skip
    return {name: _host(op, f"tree['{name}']", leaf) for name, leaf in named.items()}


def _host(op: str, name: str, leaf: Any) -> np.ndarray:
    typed = getattr(leaf, "dtype", None)
    if typed is not None and jnp.issubdtype(typed, jax.dtypes.prng_key):
        raise DtypeError(
            explain(op, name, got="a typed key", expected="an array of numbers",
                    fix="save jax.random.key_data(key); jax.random.wrap_key_data takes it back")
        )  # fmt: skip
    # Not through jax where it is NumPy's: that would cut 64 bits to 32.
    held = isinstance(leaf, np.ndarray | np.generic)
    host = np.asarray(leaf if held else _checks.array(op, name, leaf))
    host = host.astype(host.dtype.newbyteorder("="), copy=False)
    if host.dtype not in _format.SUPPORTED:
        known = ", ".join(sorted(dtype.name for dtype in _format.SUPPORTED))
        raise DtypeError(
            explain(op, name, got=f"of dtype {host.dtype}", expected=f"one of {known}",
                    fix="convert it first")
        )  # fmt: skip
    return np.ascontiguousarray(host).reshape(host.shape)


def _nested(path: Path, arrays: dict[str, np.ndarray]) -> Any:
    tree: dict[str, Any] = {}
    for name, array in sorted(arrays.items()):
        *folders, last = (part.replace("~1", "/").replace("~0", "~") for part in name.split("/"))
        node: Any = tree
        for folder in folders:
            node = node.setdefault(folder, {}) if isinstance(node, dict) else node
        if not isinstance(node, dict) or last in node:
            raise FormatError(f"load: {path}: '{name}' is a leaf and a branch at once. "
                              "Fix: pass the tree as like=")  # fmt: skip
        node[last] = array
    return tree


def _filled(path: Path, like: Any, arrays: dict[str, np.ndarray]) -> Any:
    expected = _trees.named_leaves(like)
    for name in [*expected, *arrays]:
        got = _kind(arrays[name]) if name in arrays else "missing"
        wanted = _kind(expected[name]) if name in expected else "none of this name"
        if got != wanted:
            raise FormatError(f"load: {path}: '{name}' is {got}; expected {wanted}. "
                              "Fix: pass the tree that was saved as like=, or None")  # fmt: skip
    return jax.tree.unflatten(jax.tree.structure(like), [arrays[name] for name in expected])


def _kind(leaf: Any) -> str:
    dtype = leaf.dtype if hasattr(leaf, "dtype") else jnp.asarray(leaf).dtype
    return f"{dtype} {tuple(np.shape(leaf))}"
