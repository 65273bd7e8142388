"""Metrics as TensorBoard events: TFRecord frames of Event protocol buffers, written without TensorFlow."""

import os
import struct
import time
from pathlib import Path

import numpy as np

from jaxdl.errors import DtypeError, explain
from jaxdl.train.log.writer import Curves, Writer, columns

FILE = "events.out.tfevents.0.jaxdl"
VERSION = b"brain.Event:2"
POLYNOMIAL = 0x82F63B78  # Castagnoli's, bits reversed
HEADER, FOOTER = 12, 4  # length and its checksum; checksum of the data
TIME = 9  # the first field of an Event: its tag and a double


class TensorBoard(Writer):
    """Scalars for TensorBoard: ``epoch/<name>`` over epochs, and ``step/<name>`` over the steps of the run.

    Epochs count from 1, steps from 0. What is recorded of every step, such as ``step_loss``, is drawn over
    the steps; arrays are a curve an entry, ``epoch/w[0,1]``. Nothing has to be installed to write the file;
    ``pip install tensorboard``, then ``tensorboard --logdir runs`` shows it. A run that is resumed cuts later
    epochs out of the file; a TensorBoard that runs meanwhile shows them until it is started again.

    Args:
        folder: the folder of the run; one file in it is written. It is made where there is none.
        overwrite: begin a new run in a folder that holds one; otherwise that is an error.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     TensorBoard(folder).write({"loss": np.float32([0.5, 0.25])})
        ...     print(sorted(os.listdir(folder)))
        ['events.out.tfevents.0.jaxdl']
    """

    def __init__(self, folder: str | Path, *, overwrite: bool = False) -> None:
        if not isinstance(folder, str | os.PathLike):
            raise DtypeError(
                explain("log.TensorBoard", "folder", got=f"a {type(folder).__name__}", expected="a path",
                        fix="pass a string, such as 'runs/a'")
            )  # fmt: skip
        super().__init__(Path(folder) / FILE, overwrite=overwrite)

    def aside(self, number: int) -> Path:
        """Return a name that TensorBoard does not read."""
        return self.path.with_name(f"earlier.{number}")

    def head(self, curves: Curves) -> list[bytes]:
        """Return the version of the format."""
        return [frame(_time() + _field(3, VERSION))]

    def records(self, curves: Curves, epoch: int) -> list[bytes]:
        """Return an event for each step of an epoch, where steps are recorded, and one for the epoch."""
        stepwise = {name.removeprefix("step_"): np.asarray(curves[name])[epoch] for name in _of_steps(curves)}
        whole = {name: values for name, values in curves.items() if name not in _of_steps(curves)}
        steps = len(next(iter(stepwise.values()), ()))
        numbered = [(epoch * steps + i, _values("step", stepwise, i)) for i in range(steps)]
        numbered.append((epoch + 1, _values("epoch", whole, epoch)))
        return [frame(_time() + b"\x10" + _varint(step) + _field(5, values)) for step, values in numbered]

    def split(self, content: bytes) -> list[bytes]:
        """Return the whole frames at the start of a file."""
        found, start = [], 0
        while start + HEADER <= len(content):
            (length,) = struct.unpack_from("<Q", content, start)
            stop = start + HEADER + length + FOOTER
            if stop > len(content):
                break
            found.append(content[start:stop])
            start = stop
        return found

    def same(self, found: bytes, wanted: bytes) -> bool:
        """Compare two frames but for their time."""
        begin, end = HEADER + TIME, len(wanted) - FOOTER
        return len(found) == len(wanted) and found[:8] == wanted[:8] and found[begin:end] == wanted[begin:end]


def frame(data: bytes) -> bytes:
    """Return a TFRecord: length, its checksum, the data, their checksum."""
    length = struct.pack("<Q", len(data))
    return length + _masked(length) + data + _masked(data)


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of bytes (RFC 3720, appendix B.4)."""
    value = 0xFFFFFFFF
    for byte in data:
        value = TABLE[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


def _entry(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ (POLYNOMIAL if value & 1 else 0)
    return value


TABLE = tuple(map(_entry, range(256)))


def _masked(data: bytes) -> bytes:
    value = crc32c(data)
    return struct.pack("<I", (((value >> 15) | (value << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def _of_steps(curves: Curves) -> list[str]:
    """Return the names recorded of every step: ``step_x`` beside ``x``, with the steps as one more axis."""
    pairs = [(name, name.removeprefix("step_")) for name in curves if name.startswith("step_")]
    return [name for name, of in pairs if of in curves and np.ndim(curves[name]) == np.ndim(curves[of]) + 1]


def _values(kind: str, curves: Curves, row: int) -> bytes:
    """Return a Summary: a Value of tag and simple_value for each number."""
    return b"".join(
        _field(
            1,
            _field(1, f"{kind}/{label}".encode())
            + b"\x15"
            + struct.pack("<f", np.asarray(curves[name])[(row, *index)]),
        )
        for label, name, index in columns(curves)
    )


def _time() -> bytes:
    return b"\x09" + struct.pack("<d", time.time())


def _field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])
