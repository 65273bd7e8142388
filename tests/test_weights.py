"""Trees in files: every dtype and structure comes back; nothing damaged or foreign is read in silence."""

import errno
import io
import os
import stat
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import safetensors.numpy

from jaxdl import weights
from jaxdl.errors import DtypeError, FormatError
from jaxdl.weights import _format, _write

BIG_ENDIAN = np.array([1.5, -2.0], ">f4")
TREE = {
    "bits": np.array([True, False]),
    "halves": {"bfloat16": jnp.linspace(-1, 1, 7).astype(jnp.bfloat16), "float16": jnp.float16([0.1, 65504])},
    "quarters": [jnp.array([0.5, -448], jnp.float8_e4m3fn), jnp.array([[0.5]], jnp.float8_e5m2)],
    "wide": (np.array([1 / 3, np.nan, -0.0]), np.array([2**63 - 1]), np.array([2**64 - 1], np.uint64)),
    "complex": jnp.array([1 + 2j]),
    "a/b": jnp.zeros((0, 3)),
    "a": {"b": jnp.int8(-3), "~1": jnp.arange(3, dtype=jnp.uint8)},
    "rows": np.arange(6.0).reshape(2, 3).T,
    "number": 2.0,
}  # fmt: skip


def same(got: Any, expected: Any) -> None:
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected)):
        b = np.asarray(b if hasattr(b, "dtype") else jnp.asarray(b))
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        assert a.tobytes() == b.tobytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "w.safetensors"


def test_every_dtype_and_structure_comes_back(path: Path) -> None:
    digest = weights.save(path, TREE, metadata={"epochs": 3, "names": ["a"]})
    same(weights.load(path, TREE, digest=digest), TREE)
    assert weights.metadata(path) == {"epochs": 3, "names": ["a"]}
    assert digest == weights.save(path, TREE, metadata={"names": ["a"], "epochs": 3})
    assert digest != weights.save(path, TREE)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_without_like_it_is_nested_dicts_by_name(path: Path) -> None:
    weights.save(path, TREE)
    found = weights.load(path)
    expected = {
        **TREE,
        **{name: {str(i): x for i, x in enumerate(TREE[name])} for name in ("quarters", "wide")},
    }
    same(found, expected)
    shapes = jax.eval_shape(lambda: {"w": jnp.zeros((2, 3)), "none": None, "empty": {}})
    weights.save(path, {"w": jnp.ones((2, 3)), "none": None, "empty": {}})
    assert set(weights.load(path)) == {"w"}
    assert weights.load(path, shapes)["empty"] == {}


def test_the_state_of_an_optimizer_comes_back(path: Path) -> None:
    state = optax.adam(0.1).init({"w": jnp.ones(3)})
    weights.save(path, state)
    same(weights.load(path, state), state)


def test_big_endian_is_turned(path: Path) -> None:
    weights.save(path, {"w": BIG_ENDIAN})
    assert weights.load(path)["w"].tolist() == [1.5, -2.0]


def test_every_flipped_bit_and_every_length_is_found(path: Path) -> None:
    weights.save(path, {"w": np.arange(4, dtype=np.float32), "b": np.array([True])}, metadata={"note": "x"})
    content = path.read_bytes()
    broken = [content[:n] for n in range(len(content))] + [content + b"\0", b"", content + content]
    for place in range(len(content)):
        for bit in range(8):
            body = bytearray(content)
            body[place] ^= 1 << bit
            broken.append(bytes(body))
    for body in broken:
        # Not read from a file, which would take a minute: `read` is this, after `read_bytes`.
        with pytest.raises(FormatError):
            _format.parse(path, body, what="file")
    path.write_bytes(broken[-1])
    with pytest.raises(FormatError, match="damaged"):
        weights.load(path)


@pytest.mark.parametrize(
    ("like", "words"),
    [
        ({"w": jnp.ones((2, 3)), "b": jnp.ones(1)}, r"'b' is missing; expected float32 \(1,\)"),
        ({}, r"'w' is float32 \(2, 3\); expected none of this name"),
        ({"w": jnp.ones((3, 2))}, r"'w' is float32 \(2, 3\); expected float32 \(3, 2\)"),
        ({"w": jax.ShapeDtypeStruct((2, 3), jnp.bfloat16)}, r"expected bfloat16 \(2, 3\)"),
        ([jnp.ones((2, 3))], r"'0' is missing"),
    ],
)
def test_like_names_the_leaf(path: Path, like: Any, words: str) -> None:
    weights.save(path, {"w": jnp.ones((2, 3))})
    with pytest.raises(FormatError, match=words):
        weights.load(path, like)


def test_a_file_of_another_make(path: Path) -> None:
    path.write_bytes(safetensors.numpy.save({"a.w": np.ones(2, np.float32)}))
    with pytest.raises(FormatError, match=r"no SHA-256 of jaxdl.*verify=False"):
        weights.load(path)
    assert weights.load(path, verify=False)["a.w"].tolist() == [1, 1]
    path.write_bytes(safetensors.numpy.save({"a": np.ones(2), "a/b": np.ones(2)}))
    with pytest.raises(FormatError, match="'a/b' is a leaf and a branch at once"):
        weights.load(path, verify=False)
    path.write_bytes(safetensors.numpy.save({"a": np.zeros(1, "V1").view(jnp.float8_e4m3fnuz)}))
    with pytest.raises(FormatError, match="F8_E4M3FNUZ, which is not read"):
        weights.load(path, verify=False)


def test_a_newer_version_and_an_exchanged_file(path: Path) -> None:
    digest = weights.save(path, {"w": jnp.ones(2)})
    weights.save(path, {"w": jnp.zeros(2)})
    with pytest.raises(FormatError, match=f"expected {digest}"):
        weights.load(path, digest=digest)
    with pytest.raises(ValueError, match="leave one of them out"):
        weights.load(path, digest=digest, verify=False)
    path.write_bytes(_format.encode({"metadata": {}}, {}, version=3)[0])
    for verify in (True, False):
        with pytest.raises(FormatError, match="of version 3; this jaxdl reads up to 2"):
            weights.load(path, verify=verify)


@pytest.mark.parametrize(
    ("tree", "error", "words"),
    [
        ({"k": jax.random.key(0)}, DtypeError, r"tree\['k'\].*typed key.*key_data"),
        ({"k": "text"}, DtypeError, "'k'.*is a str"),
        ({"k": np.array(["a"])}, DtypeError, "'k'.*of dtype <U1"),
        ({"k": np.zeros(2, np.complex128)}, DtypeError, "'k'.*complex128"),
        ({"k": jnp.zeros(2, jnp.int4)}, DtypeError, "'k'.*int4"),
        (jnp.ones(2), DtypeError, "dict, list or tuple"),
        ({"__metadata__": jnp.ones(2)}, ValueError, "__metadata__"),
        ({0: jnp.ones(2), "0": jnp.ones(2)}, ValueError, "cannot be taken apart.*Fix: make all keys text"),
    ],
)
def test_refused(path: Path, tree: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        weights.save(path, tree)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("metadata", [{"x": np.ones(2)}, {"x": float("nan")}, {1: "x"}])
def test_metadata_that_is_no_json(path: Path, metadata: Any) -> None:
    with pytest.raises(DtypeError, match="metadata"):
        weights.save(path, {"w": jnp.ones(2)}, metadata=metadata)


@pytest.mark.parametrize("call", ["fsync", "replace", "write"])
def test_a_failing_disk_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    weights.save(path, {"w": jnp.ones(2)})

    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, "no space")

    if call == "write":
        monkeypatch.setattr(_write, "open", lambda *arguments: Full(*arguments), raising=False)
    else:
        monkeypatch.setattr(_write.os, call, full)
    with pytest.raises(OSError, match="no space"):
        weights.save(path, {"w": jnp.zeros(2)})
    monkeypatch.undo()
    assert weights.load(path)["w"].tolist() == [1, 1]
    assert [p.name for p in path.parent.iterdir()] == [path.name]


class Full(io.FileIO):
    """A file on a disk that takes ten bytes more."""

    def write(self, content: Any) -> int:
        super().write(bytes(content)[:10])
        raise OSError(errno.ENOSPC, "no space")


def test_others_may_read_it_as_the_mask_says(path: Path) -> None:
    mask = os.umask(0o027)
    try:
        weights.save(path, {"w": jnp.ones(2)})
    finally:
        os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_model_file_is_read_too() -> None:
    found = weights.load(Path(__file__).parent / "golden" / "model_version_1.safetensors")
    assert found["params"]["layers"]["0"]["kernel"].shape == (4, 6)
    assert found["scaling"]["offset"].shape == ()


def test_file_and_folder_are_flushed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed, flush = [], os.fsync

    def noted(handle: int) -> None:
        flushed.append((os.fstat(handle).st_ino, path.exists()))
        flush(handle)

    monkeypatch.setattr(_write.os, "fsync", noted)
    weights.save(path, {"w": jnp.ones(2)})
    assert flushed == [(path.stat().st_ino, False), (path.parent.stat().st_ino, True)]
