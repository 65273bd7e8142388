"""IDX, the file format of MNIST: a strict reader that takes every file for a hostile one.

A file is two zero bytes, a type byte, the rank, one big-endian uint32 for each axis, then the
entries, big-endian, the last axis fastest.
"""

import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np

from jaxdl.errors import FormatError

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_RANK = 8
_LONGEST_HEADER = 4 + 4 * _MAX_RANK


def parse_idx(
    source: bytes | bytearray | memoryview | str | os.PathLike[str], *, max_bytes: int = 2**30
) -> np.ndarray:
    """Return the array in an IDX file, plain or compressed with gzip.

    No more is decompressed than the header announces, and no more than `max_bytes` in any case.

    Args:
        source: the bytes of the file, or its path.
        max_bytes: refuse a file that is larger, before or after decompression.

    Returns:
        A read-only array in native byte order: uint8, int8, int16, int32, float32 or float64.

    Raises:
        FormatError: wrong magic, unknown type, rank not in 1 to 8, an empty axis, a payload shorter
            or longer than the header says, a broken or truncated gzip stream, a file too large.
        OSError: the path cannot be read.

    Reference: LeCun, Cortes and Burges, The MNIST database of handwritten digits.

    >>> parse_idx(bytes([0, 0, 0x0B, 1]) + bytes([0, 0, 0, 2]) + bytes([1, 0, 255, 255]))
    array([256,  -1], dtype=int16)
    """
    name, data = _read(source, max_bytes)
    if data[:2] == b"\x1f\x8b":
        data = _gunzip(name, data, max_bytes)
    dtype, shape, start = _header(name, data, max_bytes)
    expected = start + math.prod(shape) * dtype.itemsize
    if len(data) != expected:
        word = f"ends after {len(data)}" if len(data) < expected else "goes on after them"
        raise _bad(name, f"has shape {shape} of {dtype.name}, {expected} bytes in all, but {word}")
    array = np.frombuffer(data, dtype, offset=start).reshape(shape)
    array = array.astype(dtype.newbyteorder("="), copy=False)
    array.flags.writeable = False
    return array


def _read(source: bytes | bytearray | memoryview | str | os.PathLike[str], limit: int) -> tuple[str, bytes]:
    if isinstance(source, bytes | bytearray | memoryview):
        name, data = "these bytes", bytes(source)
        size = len(data)
    else:
        name = str(Path(source))
        with open(source, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            data = file.read(size + 1) if size <= limit else b""
    if size > limit:
        raise _bad(name, f"has {size} bytes, more than the {limit} allowed (max_bytes)")
    return name, data


def _gunzip(name: str, data: bytes, limit: int) -> bytes:
    """Decompress the header, learn from it how much has to follow, and ask for one byte more."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        head = inflater.decompress(data, _LONGEST_HEADER)
        dtype, shape, start = _header(name, head, limit)
        expected = start + math.prod(shape) * dtype.itemsize
        if len(head) <= expected:
            head += inflater.decompress(inflater.unconsumed_tail, expected + 1 - len(head))
    except zlib.error as error:
        raise _bad(name, f"is a broken gzip stream ({error})") from error
    if inflater.unused_data:
        raise _bad(name, f"has {len(inflater.unused_data)} bytes after the end of its gzip stream")
    if not inflater.eof and len(head) <= expected:
        raise _bad(name, f"is a gzip stream cut off after {len(data)} bytes")
    return head


def _header(name: str, data: bytes, limit: int) -> tuple[np.dtype, tuple[int, ...], int]:
    """Return dtype, shape and the length of the header."""
    if len(data) < 4 or data[:2] != b"\0\0":
        raise _bad(name, f"begins with {data[:4].hex(' ') or 'nothing'}; an IDX file begins with 00 00")
    code, rank = data[2], data[3]
    if code not in _TYPES:
        known = ", ".join(f"0x{key:02x}" for key in _TYPES)
        raise _bad(name, f"has the unknown type 0x{code:02x}; known are {known}")
    if not 1 <= rank <= _MAX_RANK:
        raise _bad(name, f"has rank {rank}; expected 1 to {_MAX_RANK}")
    start = 4 + 4 * rank
    if len(data) < start:
        raise _bad(name, f"is cut off inside its header, after {len(data)} of {start} bytes")
    dtype, shape = np.dtype(_TYPES[code]), struct.unpack(f">{rank}I", data[4:start])
    if 0 in shape:
        raise _bad(name, f"holds nothing: shape {shape}")
    if (size := math.prod(shape) * dtype.itemsize) > limit:
        raise _bad(name, f"announces {size} bytes, more than the {limit} allowed (max_bytes)")
    return dtype, shape, start


def _bad(name: str, what: str) -> FormatError:
    return FormatError(f"parse_idx: {name} {what}. Fix: download the file again, or pass another")
