"""The file: safetensors, with a header of JSON text and a SHA-256 over that text and every array.

Version 1, which only model files had, hashed a scalar as if it were of shape (1,); it is still read.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy

from jaxdl.errors import FormatError

VERSION = 2
MAX_BYTES = 16 * 2**30
DTYPES: dict[str, Any] = {
    "BOOL": np.bool_,
    "I8": np.int8, "I16": np.int16, "I32": np.int32, "I64": np.int64,
    "U8": np.uint8, "U16": np.uint16, "U32": np.uint32, "U64": np.uint64,
    "F16": np.float16, "F32": np.float32, "F64": np.float64, "C64": np.complex64,
    "BF16": jnp.bfloat16, "F8_E4M3": jnp.float8_e4m3fn, "F8_E5M2": jnp.float8_e5m2,
}  # fmt: skip
SUPPORTED = frozenset(np.dtype(dtype) for dtype in DTYPES.values())
Arrays = dict[str, np.ndarray]


class Content(NamedTuple):
    """What a file holds: `header` and its `text` are empty in a file that this library did not write."""

    header: dict[str, Any]
    text: str
    arrays: Arrays


def encode(header: Mapping[str, Any], arrays: Arrays, *, version: int = VERSION) -> tuple[bytes, str]:
    """Return the bytes of a file, and their digest."""
    text = json.dumps({"version": version, **header}, sort_keys=True)
    found = digest(text, arrays, version)
    return safetensors.numpy.save(arrays, {"jaxdl": text, "sha256": found}), found


def digest(text: str, arrays: Arrays, version: int = VERSION) -> str:
    """Return the SHA-256 over the header and the name, dtype, shape and bytes of every array."""
    found = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        shape, dtype = arrays[name].shape, array.dtype.name
        if version == 1:
            shape, dtype = array.shape, array.dtype.str
        found.update(f"\0{name}\0{dtype}\0{shape}\0".encode())
        found.update(array.reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def is_safetensors(start: bytes, size: int) -> bool:
    """Tell by its first nine bytes whether a file of this size is safetensors, whatever it is called."""
    return start[8:9] == b"{" and 8 + int.from_bytes(start[:8], "little") <= size


def read(
    path: Path, *, what: str, verify: bool = True, expected: str | None = None, op: str = "load"
) -> Content:
    """Read a file for `op`, verified by its SHA-256, and by the `expected` one where there is one.

    Raises:
        FormatError: damaged, of a newer version, too large, or (unless `verify` is off) without a digest.
        OSError: the file cannot be read.
    """
    if path.stat().st_size > MAX_BYTES:
        raise FormatError(f"{op}: {path} is larger than {MAX_BYTES} bytes. Fix: pass {what}")
    return parse(path, path.read_bytes(), what=what, verify=verify, expected=expected, op=op)


def parse(
    path: Path,
    content: bytes,
    *,
    what: str,
    verify: bool = True,
    expected: str | None = None,
    op: str = "load",
) -> Content:
    """Take the bytes of a file apart; see `read`."""
    try:
        arrays = _arrays(content)
        said = _said(content)
        header = None if "jaxdl" not in said else json.loads(said["jaxdl"])
        version = None if header is None else header["version"]
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise FormatError(f"{op}: {path} is no {what}, or is damaged ({error}). "
                          "Fix: save it again") from error  # fmt: skip
    if header is not None and version not in (1, VERSION):
        raise FormatError(f"{op}: {path} is of version {version}; this jaxdl reads up to {VERSION}. "
                          "Fix: install the newer jaxdl")  # fmt: skip
    if verify:
        _verify(op, path, what, said, version, arrays, expected)
    return Content(header or {}, said.get("jaxdl", ""), arrays)


def _verify(
    op: str, path: Path, what: str, said: dict[str, str], version: Any, arrays: Arrays, expected: str | None
) -> None:
    if "jaxdl" not in said or "sha256" not in said:
        raise FormatError(f"{op}: {path} is no {what}: it holds no SHA-256 of jaxdl. Fix: if you trust it, "
                          "jaxdl.weights.load(path, verify=False) takes it as it is")  # fmt: skip
    found = digest(said["jaxdl"], arrays, version)
    if found != said["sha256"]:
        raise FormatError(f"{op}: {path} is damaged: its SHA-256 differs from the stored one. "
                          "Fix: save it again, or take an older copy")  # fmt: skip
    if expected not in (None, found):
        raise FormatError(f"{op}: {path} has the SHA-256 {found}; expected {expected}. "
                          "Fix: it is another file than the one you mean")  # fmt: skip


def _arrays(content: bytes) -> Arrays:
    found = {}
    for name, view in safetensors.deserialize(content):
        if view["dtype"] not in DTYPES:
            raise TypeError(f"'{name}' is of dtype {view['dtype']}, which is not read")
        found[name] = np.frombuffer(view["data"], DTYPES[view["dtype"]]).reshape(view["shape"])
    return found


def _said(content: bytes) -> dict[str, str]:
    """Return the metadata of a file that `safetensors` has found well-formed."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]).get("__metadata__") or {}
