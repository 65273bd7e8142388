"""Weights as others store them: state dicts and files, as NumPy arrays that were looked at."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxdl.errors import DtypeError, FormatError, explain
from jaxdl.weights import _format
from jaxdl.weights.torch_file import load_torch


def read(op: str, source: Any) -> dict[str, np.ndarray]:
    """Return the arrays by name of a state dict, or of a file of safetensors or of torch."""
    if isinstance(source, str | Path):
        with Path(source).open("rb") as file:
            written = _format.is_safetensors(file.read(9), os.fstat(file.fileno()).st_size)
        if written or Path(source).suffix.lower() == ".safetensors":
            what = "safetensors file"
            return _format.read(Path(source), what=what, verify=False, op=op).arrays
        return load_torch(source)
    if not isinstance(source, Mapping):
        raise DtypeError(explain(op, "source", got=f"a {type(source).__name__}",
                                 expected="a mapping of names to arrays, or a path",
                                 fix="pass model.state_dict()"))  # fmt: skip
    return {str(key): _host(op, key, value) for key, value in source.items()}


def told(source: Any) -> str:
    """Return where an error is, in front of what was got: the path of a file."""
    return "" if isinstance(source, Mapping) else f"{source}: "


def _host(op: str, key: Any, value: Any) -> np.ndarray:
    for method in ("detach", "cpu"):  # torch's tensors, of which those with a gradient are no arrays
        value = getattr(value, method)() if hasattr(value, method) else value
    try:
        found = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DtypeError(explain(op, f"source['{key}']", got=f"no array ({error})",
                                 expected="an array", fix="value.float().numpy()")) from error  # fmt: skip
    if found.dtype.kind not in "biufV":
        raise DtypeError(explain(op, f"source['{key}']", got=f"a {type(value).__name__}",
                                 expected="an array of numbers", fix="pass model.state_dict()"))  # fmt: skip
    return found


def converted(op: str, key: str, array: np.ndarray, dtype: Any, finite: bool) -> np.ndarray:
    """Return an array in `dtype`, or raise unless it is floating and, if asked for, finite."""
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise DtypeError(explain(op, f"source['{key}']", got=f"of dtype {array.dtype}",
                                 expected="a floating dtype", fix="pass the weights before quantisation")
                         )  # fmt: skip
    with np.errstate(over="ignore"):
        found = array.astype(dtype)
    if finite and not np.isfinite(found).all():
        raise FormatError(explain(op, f"source['{key}']",
                                  got=f"not finite everywhere, as {found.dtype}", expected="finite numbers",
                                  fix="finite=False takes them as they are"))  # fmt: skip
    return found


def floating(op: str, dtype: Any) -> np.dtype[Any]:
    """Return a floating dtype that jax holds as it is, or raise."""
    try:
        found = None if dtype is None else jnp.dtype(dtype)
    except TypeError:
        found = None
    if found is None or not jnp.issubdtype(found, jnp.floating):
        got = repr(dtype) if found is None else found.name
        raise DtypeError(explain(op, "dtype", got=got, expected="a floating dtype",
                                 fix="dtype=jnp.float32"))  # fmt: skip
    if found.itemsize > (widest := jnp.result_type(float)).itemsize:
        raise DtypeError(explain(op, "dtype", got=found.name,
                                 expected=f"at most {widest}, as jax holds no wider floats now",
                                 fix='jax.config.update("jax_enable_x64", True), or dtype=jnp.float32')
                         )  # fmt: skip
    return found
