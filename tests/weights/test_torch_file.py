"""torch's files: every dtype and window comes back; what is damaged or hostile is refused, and never run."""

import io
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import torch_bytes
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_bytes import dictionary, integer, simple, storage, tensor, text

from jaxdl.errors import DtypeError, FormatError
from jaxdl.weights import _pickle, load_torch, torch_file

GOLDEN = Path(__file__).parents[1] / "golden"
DTYPES = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")
ARRAYS = {
    "features.0.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "mean": np.linspace(-1, 1, 5),
    "num_batches_tracked": np.array(7),
    "mask": np.array([True, False]),
    "nothing": np.zeros((0, 3), np.float32),
}
GOOD = tensor(storage(), 0, (2, 3), (3, 1))


def read(tmp_path: Path, content: bytes) -> dict[str, np.ndarray]:
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    return load_torch(path)


def same(got: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert list(got) == list(expected)
    for name, array in expected.items():
        assert (got[name].dtype, got[name].shape) == (array.dtype, array.shape), name
        assert got[name].tobytes() == array.tobytes(), name


def all_kinds() -> dict[str, np.ndarray]:
    """What `tests/golden/make_torchvision.py` wrote through torch."""
    numbers = np.arange(6).reshape(2, 3) % 2
    found = {name: numbers.astype(jnp.dtype(name)) for name in DTYPES}
    window = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    return {
        **found,
        "turned": window.T,
        "part": window[1, 1:, ::2],
        "parameter": window,
        "scalar": np.array(7),
    }


@pytest.mark.parametrize("name", ["torch_zip.pth", "torch_legacy.pth"])
def test_what_torch_wrote(name: str) -> None:
    same(load_torch(GOLDEN / name), all_kinds())


@pytest.mark.parametrize("form", ["new", "legacy"])
def test_every_window_and_dtype_against_torch_itself(tmp_path: Path, form: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; golden files stand in for it")
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)).double()
    module[0].weight.data = module[0].weight.data.to(memory_format=torch.channels_last)
    torch.save(module.state_dict(), tmp_path / "w.pth", _use_new_zipfile_serialization=form == "new")
    expected = {name: value.numpy() for name, value in module.state_dict().items()}
    same(load_torch(tmp_path / "w.pth"), expected)
    for protocol in (3, 4, 5):
        torch.save(module.state_dict(), tmp_path / "w.pth", pickle_protocol=protocol)
        same(load_torch(tmp_path / "w.pth"), expected)


@pytest.mark.parametrize("write", [torch_bytes.new, torch_bytes.legacy])
def test_both_forms(tmp_path: Path, write: Any) -> None:
    same(read(tmp_path, write(ARRAYS)), ARRAYS)
    assert read(tmp_path, write({})) == {}


def test_a_file_of_python_2(tmp_path: Path) -> None:
    stored = b"(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x06NtQ"
    entry = tensor(stored, 1, (2, 2), (3, 1), b"ctorch._utils\n_rebuild_tensor\n").replace(
        b"\x89cc", b"cc", 1
    )
    entry = entry[: entry.rindex(b"ccollections")] + b"tR"
    value = b"ccollections\nOrderedDict\n(](](U\x01w" + entry + b"eetR"
    arrays = {"0": np.arange(6, dtype=np.float32)}
    found = read(tmp_path, torch_bytes.legacy(arrays, entries=value))
    same(found, {"w": np.array([[1, 2], [4, 5]], np.float32)})


@pytest.mark.parametrize("write", [torch_bytes.new, torch_bytes.legacy])
def test_every_length_is_found(write: Any) -> None:
    content = write(ARRAYS)
    for length in range(len(content)):
        with pytest.raises(ValueError, match=r"."):
            torch_file.parse(content[:length])


def test_a_flipped_bit_changes_nothing_or_is_found() -> None:
    content = torch_bytes.new(ARRAYS)
    refused = 0
    for place in range(len(content)):
        body = bytearray(content)
        body[place] ^= 1 << place % 8
        try:
            same(torch_file.parse(bytes(body)), ARRAYS)  # a date, or an attribute of the file
        except ValueError:
            refused += 1
    assert refused > len(content) * 0.6


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path, function: Any = os.mkdir) -> None:
        self.call = (function, (str(path),))

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("form", ["zip", "legacy"])
def test_nothing_is_run(tmp_path: Path, protocol: int, form: str) -> None:
    evil = pickle.dumps({"w": Evil(tmp_path / "made")}, protocol)
    content = torch_bytes.zipped({"data.pkl": evil}) if form == "zip" else evil
    with pytest.raises(FormatError, match=r"nothing was run|which no state dict needs|neither form"):
        read(tmp_path, content)
    assert not (tmp_path / "made").exists()
    pickle.loads(evil)
    assert (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"cos\nsystem\n(" + text("true") + b"tR", r"'os\.system', which no state dict needs"),
        (b"cbuiltins\neval\n(" + text("1") + b"tR", r"'builtins\.eval'"),
        (b"ctorch._utils\n_rebuild_sparse_tensor\n)R", "_rebuild_sparse_tensor"),
        (b"ctorch\nFloatStorage\n)R", "calls what is no function"),
        (text("torch._utils._rebuild_tensor_v2") + b")R", "calls what is no function"),
        (b"ccollections\nOrderedDict\n]R", "calls what is no function"),
        (b"ccollections\nOrderedDict\n(K\x01tR", "no list of pairs"),
        (b"ccollections\nOrderedDict\n(]K\x01atR", "what are no pairs"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n)R", "wrong arguments"),
        (b"ctorch._utils\n_rebuild_parameter\n(K\x01tR", "parameter that is no tensor"),
        (b"i", "opcode b'i'"), (b"o", "opcode b'o'"), (b"\x81", "opcode"), (b"\x92", "opcode"),
        (b"\x82\x01", "opcode"), (b"\x97", "opcode"), (b"P0\n", "opcode"),
        (b"]", "holds a list and no state dict"),
        (b"N", "holds a NoneType and no state dict"),
        (b"", "does not end in one value"),
        (b"NN", "does not end in one value"),
        (b"(N", "does not end in one value"),
        (b"h\x05", "malformed at byte 4: KeyError"),
        (b"t", "malformed at byte 3: IndexError"),
        (b"\x87", "IndexError"),
        (b"\x80\x06N", "protocol 6"),
        (b"c" + b"a" * 300, "more than 200 letters"),
        (b"}" + text("a") + b"N" + b"sb", "IndexError|attributes"),
        (b"]}b", "sets attributes of what is no dict"),
        (b"](" + text("a") + b"Nu", "sets items of what is no dict"),
        (b"}(Nu", "sets items"),
        (b"}Na", "appends to what is no list"),
        (b"})Ns", "tuple as a key"),
        (dictionary({"a": GOOD}) + text("a") + GOOD + b"s", "key 'a' twice"),
        (b"K\x01K\x02\x93", "no text"),
        (b"}K\x01" + GOOD + b"s", "an? int as a key, so it is no state dict alone"),
        (dictionary({"state_dict": dictionary({"w": GOOD})}), "'state_dict' is no tensor but a dict"),
        (dictionary({"epoch": integer(3)}), "'epoch' is no tensor but a int"),
        (b"Q", "IndexError"), (b"NQ", "no storage"),
        (b"(" + text("module") + b"NNNNtQ", "no storage"),
        (storage("Quantised"), r"asks for 'torch\.QuantisedStorage'"),
        (storage(view=b"(K\x01K\x02t"), "a view of a storage"),
        (storage().replace(b"ctorch\nFloatStorage\n", text("torch.FloatStorage")), "without type"),
    ],
)  # fmt: skip
def test_refused_pickles(tmp_path: Path, value: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words) as caught:
        read(tmp_path, simple(value))
    assert "Fix: write it again with torch.save(model.state_dict(), path)" in str(caught.value)


@pytest.mark.parametrize(
    ("offset", "shape", "strides", "words"),
    [
        (1, (2, 3), (3, 1), "reaches beyond its storage"),
        (6, (), (), "reaches beyond"),
        (7, (0,), (1,), "reaches beyond"),
        (-1, (2,), (1,), "at no offset"),
        (0, (2,), (-1,), "malformed shape"),
        (0, (-2,), (1,), "malformed shape"),
        (0, (2,), (6,), "reaches beyond"),
        (0, (2,), (2**47,), "reaches beyond"),
        (0, (2,), (2**63,), "malformed shape"),
        (0, (2**62,), (0,), "malformed shape"),
        (0, (2**40,), (0,), "repeats its storage of 6 numbers"),
        (0, (7,), (0,), "repeats its storage"),
        (0, (2, 3), (3,), "malformed shape"),
        (0, (1,) * 33, (1,) * 33, "malformed shape"),
    ],
)
def test_windows_beyond_their_storage(
    tmp_path: Path, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], words: str
) -> None:
    with pytest.raises(FormatError, match=words):
        read(tmp_path, simple(dictionary({"w": tensor(storage(), offset, shape, strides)})))


@given(
    st.integers(0, 8),
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=3),
)
@settings(max_examples=100, deadline=None)
def test_a_window_reads_what_its_strides_say_or_is_refused(offset: int, axes: list[tuple[int, int]]) -> None:
    shape, strides = [size for size, _ in axes], [stride for _, stride in axes]
    places = [offset + int(np.dot(index, strides)) for index in np.ndindex(*shape)]
    content = simple(dictionary({"w": tensor(storage(), offset, shape, strides)}))
    if offset > 6 or any(place > 5 for place in places) or len(places) > 6:
        with pytest.raises(ValueError, match=r"beyond its storage|repeats"):
            torch_file.parse(content)
    else:
        found = torch_file.parse(content)["w"]
        assert found.shape == tuple(shape)
        assert found.ravel().tolist() == places


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "begins with b''"),
        (b"\x93NUMPY", "neither form"),
        (b"PK\3\4" + bytes(100), "no whole zip file"),
        (b"\0" * 257 + b"ustar" + b"\0" * 300, "tar file"),
        (simple(dictionary({"w": GOOD}), byteorder=b"big"), "byte order b'big'"),
        (simple(dictionary({"w": GOOD}), **{"constants.pkl": b""}), "TorchScript"),
        (torch_bytes.zipped({"data/0": b""}), r"no record 'data\.pkl'"),
        (torch_bytes.zipped({}), "zip file of 0 records|neither form"),
        (simple(dictionary({"w": tensor(storage(key="1"), 0, (6,), (1,))})), "no record 'data/1'"),
        (simple(dictionary({"w": tensor(storage(size=7), 0, (6,), (1,))})), "24 bytes where 28 were"),
        (simple(dictionary({"w": tensor(storage("Double"), 0, (6,), (1,))})), "24 bytes where 48 were"),
        (simple(dictionary({"w": tensor(storage("Bool", size=24), 0, (6,), (1,))})), "neither 0 nor 1"),
        (simple(dictionary({"w": GOOD}) + b"." + b"N"), "bytes follow its pickle"),
        (torch_bytes.zipped({"data.pkl": b"x" * 99}, method=zipfile.ZIP_DEFLATED), "compressed"),
        (torch_bytes.zipped({"../data.pkl": b""}), "lies outside"),
        (torch_bytes.zipped({"a/../../data.pkl": b""}), "lies outside"),
        (torch_bytes.zipped({"data.pkl": b""}, folder="/"), "lies outside"),
        (torch_bytes.zipped({"data.pkl": b""}, folder=""), "lies outside"),
        (torch_bytes.zipped({"..\\data.pkl": b""}), "lies outside"),
        (torch_bytes.legacy(ARRAYS, little=False), "byte order 'little'"),
        (torch_bytes.legacy(ARRAYS, keys=["mean"]), "list of storages"),
        (torch_bytes.legacy(ARRAYS, keys=[*ARRAYS, "mean"]), "list of storages"),
        (torch_bytes.legacy(ARRAYS, keys=reversed(ARRAYS)), "has not the size announced"),
        (torch_bytes.legacy(ARRAYS) + b"\0", "bytes follow its last storage"),
        (torch_bytes.pickled(integer(5)) * 5, "magic number"),
    ],
)
def test_refused_files(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read(tmp_path, content)


def test_two_records_of_one_name(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/data.pkl", b"1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a/data.pkl", b"2")
    with pytest.raises(FormatError, match=r"'data\.pkl' twice"):
        read(tmp_path, file.getvalue())


def test_records_that_overlap_or_lie_elsewhere(tmp_path: Path) -> None:
    content = simple(dictionary({"w": GOOD}))
    directory = content.index(b"PK\1\2")
    for place, value, words in (
        (42, 2**31, "outside"),
        (42, 10, "outside"),
        (24, 2**30, "compressed|larger"),
    ):
        body = bytearray(content)
        struct.pack_into("<I", body, directory + place, value)
        with pytest.raises(FormatError, match=words):
            read(tmp_path, bytes(body))


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = simple(dictionary({"w": GOOD}))
    monkeypatch.setattr(_pickle, "MAX_BYTES", 50)
    with pytest.raises(FormatError, match="larger than 50 bytes"):
        read(tmp_path, content)
    monkeypatch.setattr(torch_file, "MAX_BYTES", 50)
    with pytest.raises(FormatError, match=r"is larger than 50 bytes\. Fix"):
        read(tmp_path, content)


def test_one_list_does_not_become_many_dicts(tmp_path: Path) -> None:
    """A pickle of a few bytes a dict must not make a dict of a thousand entries each."""
    pairs = b"](" + b"".join(b"(" + text(str(i)) + b"Nt" for i in range(1000)) + b"eq\x00"
    call = b"ccollections\nOrderedDict\n(h\x00tR"
    machine_value = b"](" + pairs + call * 3 + b"e"
    calls = {"collections.OrderedDict": torch_file._torch_tensors.ordered}
    found = _pickle.Machine(memoryview(torch_bytes.pickled(machine_value)), calls, lambda _: None).run()
    assert [len(each) for each in found[1:]] == [1000, 0, 0]


CODES = st.sampled_from([bytes([code]) for code in range(256)])
PARTS = st.sampled_from(
    [
        GOOD,
        text("w"),
        storage(),
        b"ccollections\nOrderedDict\n",
        b"ctorch\nFloatStorage\n",
        torch_bytes.REBUILD,
    ]
)


@given(st.lists(CODES | PARTS, max_size=30))
@settings(max_examples=200, deadline=None)
def test_any_pickle_is_read_or_refused(parts: list[bytes]) -> None:
    for content in (simple(b"".join(parts)), torch_bytes.legacy({}, entries=b"".join(parts))):
        try:
            found = torch_file.parse(content)
        except ValueError:
            continue
        assert all(isinstance(value, np.ndarray) for value in found.values())


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_damage_is_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from([torch_bytes.new(ARRAYS), torch_bytes.legacy(ARRAYS)])))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    try:
        found = torch_file.parse(bytes(content))
    except ValueError:
        return
    assert all(isinstance(value, np.ndarray) for value in found.values())


@pytest.mark.parametrize("path", [None, 3, b"w.pth"])
def test_what_is_no_path_is_named(path: Any) -> None:
    with pytest.raises(
        DtypeError, match=rf"load_torch: argument 'path' is a {type(path).__name__}; expected"
    ):
        load_torch(path)
