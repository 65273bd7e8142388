"""State dicts in the files of ``torch.save``, read without torch and without running what they hold."""

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from jaxdl.errors import DtypeError, FormatError, explain
from jaxdl.weights import _pickle, _torch_tensors
from jaxdl.weights._format import MAX_BYTES, is_safetensors

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
MAX_RECORDS = 100_000
_LOCAL = struct.Struct("<4s5H3I2H")
_FIX = "Fix: write it again with torch.save(model.state_dict(), path), or take a fresh copy of the file"

Records = Mapping[str, memoryview]


def load_torch(path: str | Path) -> dict[str, np.ndarray]:
    """Read a state dict that ``torch.save`` wrote, as ``.pth`` and ``.pt`` files are, running nothing of it.

    Such a file holds a pickle, which may call any function when Python's `pickle` reads it. Here it is read
    as data: a dict, tensors and storages are understood, and whatever else it asks for is refused. Both forms
    are read: the zip file of torch 1.6 and later, whose CRC-32 are compared, and the older one, which has no
    sums.

    Args:
        path: the file, of up to 16 GiB; it is held in memory.

    Returns:
        NumPy arrays by name, in the order of the file, read-only and in torch's layout: kernels of
        convolutions (out, in, height, width), of dense layers (out, in). Dtypes as in the file: float64,
        float32, float16, bfloat16, int64 to int8, uint8, bool.

    Raises:
        FormatError: damaged, hostile, no state dict, of big-endian numbers, TorchScript, or safetensors.
        DtypeError: `path` is no path.
        OSError: the file cannot be read.

    Example:
        >>> load_torch("weights.pth")
        Traceback (most recent call last):
        FileNotFoundError: ...
    """
    if not isinstance(path, str | os.PathLike):
        raise DtypeError(explain("load_torch", "path", got=f"a {type(path).__name__}",
                                 expected="the path of a file", fix="load_torch('weights.pth')"))  # fmt: skip
    path = Path(path)
    if path.stat().st_size > MAX_BYTES:
        raise FormatError(f"load_torch: {path} is larger than {MAX_BYTES} bytes. {_FIX}")
    content = path.read_bytes()
    if is_safetensors(content[:9], len(content)):
        raise FormatError(f"load_torch: {path} is a safetensors file, not one of torch.save. "
                          "Fix: jaxdl.weights.load(path, verify=False)")  # fmt: skip
    try:
        return parse(content)
    except ValueError as error:
        raise FormatError(f"load_torch: {path} is damaged, or no state dict of torch.save: {error}. {_FIX}"
                          ) from error  # fmt: skip


def parse(content: bytes) -> dict[str, np.ndarray]:
    """Read the bytes of a file; see `load_torch`.

    Raises:
        ValueError: what is wrong.
    """
    if content[:4] == b"PK\3\4":
        return _zipped(content)
    if content[:2] == b"\x80\x02":
        return _legacy(content)
    if b"ustar" in content[257:263]:
        raise ValueError("it is a tar file, as torch before 0.1.12 wrote them")
    raise ValueError(f"it begins with {content[:4]!r}, which is neither form")


def _zipped(content: bytes) -> dict[str, np.ndarray]:
    records = _records(content)
    if "constants.pkl" in records:
        raise ValueError("it is a TorchScript program (torch.jit.save)")
    if "data.pkl" not in records:
        raise ValueError("it has no record 'data.pkl'")
    order = bytes(records.get("byteorder", memoryview(b"little")))
    if order != b"little":
        raise ValueError(f"its numbers are in the byte order {order[:10]!r}; only b'little' is read")
    machine = _pickle.Machine(records["data.pkl"], _torch_tensors.CALLS, _torch_tensors.storage)
    tensors = _torch_tensors.state_dict(machine.run())
    if machine.position != len(records["data.pkl"]):
        raise ValueError("bytes follow its pickle")
    stored = {}
    for key in {tensor.storage.key for tensor in tensors.values()}:
        if f"data/{key}" not in records:
            raise ValueError(f"it has no record 'data/{key[:80]}'")
        stored[key] = records[f"data/{key}"]
    return _torch_tensors.arrays(tensors, stored)


def _records(content: bytes) -> Records:
    """Return the members of a zip file by name, without the folder that holds them all."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, struct.error, EOFError, OSError) as error:
        raise ValueError(f"it is no whole zip file ({error})") from error
    if not infos or len(infos) > MAX_RECORDS:
        raise ValueError(f"it is a zip file of {len(infos)} records")
    if sum(info.file_size for info in infos) > len(content):
        raise ValueError("its records are larger than the file")
    folder = infos[0].filename.split("/")[0] + "/"
    found: dict[str, memoryview] = {}
    for info in infos:
        name = info.filename.removeprefix(folder)
        parts = PurePosixPath(info.filename).parts
        if name == info.filename or "\\" in name or {"..", "/"} & set(parts) or len(parts) < 2:
            raise ValueError(f"its record {info.filename[:80]!r} lies outside of '{folder[:80]}'")
        if name in found:
            raise ValueError(f"it has the record {name[:80]!r} twice")
        found[name] = _record(memoryview(content), info)
    return found


def _record(content: memoryview, info: zipfile.ZipInfo) -> memoryview:
    """Return the bytes of a member, which torch never compresses: a window on the content, no copy."""
    name = info.filename[:80]
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size or info.flag_bits & 1:
        raise ValueError(f"its record {name!r} is compressed or encrypted, which torch does not do")
    start = info.header_offset + _LOCAL.size
    if not 0 <= info.header_offset <= len(content) - _LOCAL.size:
        raise ValueError(f"its record {name!r} lies outside of the file")
    signature, *_, name_size, extra_size = _LOCAL.unpack(content[info.header_offset : start])
    start += name_size + extra_size
    if signature != b"PK\3\4" or start + info.file_size > len(content):
        raise ValueError(f"its record {name!r} lies outside of the file")
    found = content[start : start + info.file_size]
    if zlib.crc32(found) != info.CRC:
        raise ValueError(f"the CRC-32 of its record {name!r} is not that of its bytes")
    return found


def _legacy(content: bytes) -> dict[str, np.ndarray]:
    """Five pickles (magic number, protocol, system, state dict, keys), then each storage by its length."""
    machine = _pickle.Machine(memoryview(content), _torch_tensors.CALLS, _torch_tensors.storage)
    magic, protocol, system = machine.run(), machine.run(), machine.run()
    if magic != MAGIC or protocol != PROTOCOL or type(system) is not dict:
        raise ValueError("it does not begin with the magic number of torch")
    if system.get("little_endian") is not True:
        raise ValueError("its numbers are not in the byte order 'little', which alone is read")
    tensors = _torch_tensors.state_dict(machine.run())
    keys = machine.run()
    sizes = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    if type(keys) is not list or any(type(key) is not str for key in keys) or sorted(keys) != sorted(sizes):
        raise ValueError("its list of storages is not that of its tensors, each once")
    machine.end = len(content)
    stored: dict[str, memoryview] = {}
    for key in keys:
        count = int.from_bytes(machine.take(8), "little")
        if count != sizes[key].size:
            raise ValueError(f"the storage {key[:80]!r} has not the size announced")
        stored[key] = machine.take(sizes[key].bytes)
    if machine.position != len(content):
        raise ValueError("bytes follow its last storage")
    return _torch_tensors.arrays(tensors, stored)
