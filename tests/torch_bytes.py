"""Files of torch.save made by hand, byte for byte, so that any part of them can lie."""

import io
import struct
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
KINDS = {"float32": "Float", "float64": "Double", "int64": "Long", "bool": "Bool"}


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def integer(value: int) -> bytes:
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def numbers(values: Iterable[int]) -> bytes:
    return b"(" + b"".join(integer(value) for value in values) + b"t"


def storage(kind: str = "Float", key: str = "0", size: int = 6, *, view: bytes = b"") -> bytes:
    """`view` is what older files hold at the end."""
    name = f"ctorch\n{kind}Storage\n".encode()
    return b"(" + text("storage") + name + text(key) + text("cpu") + integer(size) + view + b"tQ"


def tensor(
    stored: bytes, offset: int, shape: Iterable[int], strides: Iterable[int], function: bytes = REBUILD
) -> bytes:
    arguments = stored + integer(offset) + numbers(shape) + numbers(strides) + b"\x89"
    return function + b"(" + arguments + b"ccollections\nOrderedDict\n)RtR"


def items(entries: Mapping[str, bytes]) -> bytes:
    return b"(" + b"".join(text(name) + value for name, value in entries.items()) + b"u"


def dictionary(entries: Mapping[str, bytes]) -> bytes:
    return b"ccollections\nOrderedDict\n)R" + items(entries)


def pickled(value: bytes) -> bytes:
    return b"\x80\x02" + value + b"."


def contiguous(name: str, array: np.ndarray, *, view: bytes = b"") -> bytes:
    strides = [stride // array.itemsize for stride in array.strides]
    return tensor(storage(KINDS[array.dtype.name], name, array.size, view=view), 0, array.shape, strides)


def zipped(records: Mapping[str, bytes], *, folder: str = "archive/", method: int = 0) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in records.items():
            archive.writestr(folder + name, content)
    return file.getvalue()


def simple(value: bytes, **records: bytes) -> bytes:
    """A zip file around a pickled value, with six float32 as the storage '0'."""
    stored = np.arange(6, dtype=np.float32).tobytes()
    return zipped({"data.pkl": pickled(value), "data/0": stored, "version": b"3\n", **records})


def new(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The form since torch 1.6."""
    entries = {name: contiguous(name, array) for name, array in arrays.items()}
    stored = {f"data/{name}": array.tobytes() for name, array in arrays.items()}
    return zipped({"data.pkl": pickled(dictionary(entries)), "byteorder": b"little", **stored})


def legacy(
    arrays: Mapping[str, np.ndarray], *, entries: Any = None, keys: Any = None, little: bool = True
) -> bytes:
    """The form before torch 1.6."""
    value = dictionary({name: contiguous(name, array, view=b"N") for name, array in arrays.items()})
    listed = b"](" + b"".join(text(key) for key in (arrays if keys is None else keys)) + b"e"
    system = b"}" + items({"little_endian": b"\x88" if little else b"\x89"})
    heads = (integer(MAGIC), integer(PROTOCOL), system, value if entries is None else entries, listed)
    stored = (struct.pack("<q", array.size) + array.tobytes() for array in arrays.values())
    return b"".join([*map(pickled, heads), *stored])
