"""The IDX reader: every dtype, every way to be malformed, and 20,000 mutated files."""

import gzip
import struct
import tracemalloc
import zlib

import numpy as np
import pytest

from jaxdl.data import parse_idx
from jaxdl.errors import FormatError

CODES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def idx(array, code):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(CODES[code]).tobytes()


SMALL = idx(np.arange(12).reshape(3, 2, 2), 0x08)


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize("code", CODES)
def test_every_dtype(code, compress, tmp_path):
    expected = np.array([[0, 1, 2], [100, 7, 127]])
    data = compress(idx(expected, code))
    path = tmp_path / "file"
    path.write_bytes(data)
    for source in (data, bytearray(data), memoryview(data), path, str(path)):
        array = parse_idx(source)
        np.testing.assert_array_equal(array, expected)
        assert array.dtype == np.dtype(CODES[code]).newbyteorder("=")
        assert array.dtype.isnative
        assert not array.flags.writeable


def test_rank_eight_is_the_highest():
    assert parse_idx(idx(np.zeros((1,) * 8), 0x08)).ndim == 8


gz = gzip.compress(SMALL)
BAD = {
    "empty": (b"", "begins with nothing"),
    "magic": (b"\x01" + SMALL[1:], "begins with 01 00 08 03"),
    "text": (b"<html>", "begins with 3c 68"),
    "three bytes": (SMALL[:3], "begins with"),
    "type": (b"\0\0\x0a\x01" + SMALL[4:], "unknown type 0x0a"),
    "rank 0": (b"\0\0\x08\0", "rank 0"),
    "rank 9": (b"\0\0\x08\x09" + bytes(60), "rank 9"),
    "inside the header": (SMALL[:10], "after 10 of 16"),
    "empty axis": (b"\0\0\x08\x02" + struct.pack(">II", 0, 2**32 - 1), "holds nothing"),
    "one byte short": (SMALL[:-1], "28 bytes in all, but ends after 27"),
    "one byte long": (SMALL + b"x", "goes on after them"),
    "product beyond 2**64": (b"\0\0\x0e\x08" + b"\xff" * 32, "announces"),
    "gzip cut": (gz[:-9], "cut off"),
    "gzip without its checksum": (gz[:-8], "cut off"),
    "gzip cut in its header": (gz[:5], "begins with nothing"),
    "gzip with a wrong checksum": (gz[:-8] + bytes(8), "broken gzip"),
    "gzip with a tail": (gz + b"tail", "4 bytes after the end"),
    "two gzip members": (gz + gz, "after the end"),
    "longer inside gzip": (gzip.compress(SMALL + bytes(99)), "goes on after them"),
    "shorter inside gzip": (gzip.compress(SMALL[:-1]), "ends after 27"),
    "zlib, not gzip": (zlib.compress(SMALL), "begins with"),
}


@pytest.mark.parametrize("case", BAD)
def test_malformed_files_are_named(case, tmp_path):
    data, message = BAD[case]
    with pytest.raises(FormatError, match=message):
        parse_idx(data)
    path = tmp_path / "broken.gz"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r"broken\.gz"):
        parse_idx(path)


def test_the_cap_holds_for_file_and_payload(tmp_path):
    assert parse_idx(SMALL, max_bytes=len(SMALL)).size == 12
    path = tmp_path / "large"
    path.write_bytes(SMALL)
    for source in (SMALL, path):
        with pytest.raises(FormatError, match="28 bytes, more than the 27 allowed"):
            parse_idx(source, max_bytes=len(SMALL) - 1)
    with pytest.raises(FormatError, match="announces 10000 bytes"):
        parse_idx(gzip.compress(idx(np.zeros(10_000), 0x08)), max_bytes=9_999)


@pytest.mark.parametrize("announced", [100, 2**30])
def test_a_bomb_takes_no_memory(announced):
    header = b"\0\0\x08\x01" + struct.pack(">I", announced)
    bomb = gzip.compress(header + bytes(2**24 if announced == 100 else 10), 9)
    tracemalloc.start()
    with pytest.raises(FormatError, match=r"goes on after them|ends after"):
        parse_idx(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        parse_idx(tmp_path / "nowhere")


def mutate(data, rng):
    """Flip bits, cut, insert or overwrite: one to four times."""
    out = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        where, kind = int(rng.integers(0, len(out) + 1)), rng.integers(0, 4)
        if kind == 0 and where < len(out):
            out[where] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1:
            del out[where:]
        elif kind == 2:
            out[where:where] = rng.bytes(int(rng.integers(1, 9)))
        else:
            out[where : where + 4] = rng.bytes(4)
    return bytes(out)


def test_twenty_thousand_mutated_files():
    rng = np.random.Generator(np.random.PCG64(0))
    plain = [SMALL, idx(np.arange(6).reshape(2, 3), 0x0E), idx(np.arange(40), 0x0B)]
    seeds = plain + [gzip.compress(data) for data in plain]
    valid = 0
    for i in range(20_000):
        try:
            array = parse_idx(mutate(seeds[i % len(seeds)], rng), max_bytes=2**20)
        except FormatError:
            continue
        valid += 1
        assert 1 <= array.ndim <= 8
        assert 0 < array.nbytes <= 2**20
    assert 0 < valid < 10_000
