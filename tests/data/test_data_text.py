"""Text: numbered tokens, padded sequences, windows, and files that are no text."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxdl import data
from jaxdl.data import END, PADDING, START, UNKNOWN, Dataset, Vocabulary, pad, text, windows
from jaxdl.errors import DtypeError, FormatError, ShapeError

NAMES = Vocabulary.of(["anna", "bob"])


def test_numbers_are_special_then_sorted() -> None:
    assert (PADDING, START, END, UNKNOWN) == (0, 1, 2, 3)
    assert NAMES.names == ("<padding>", "<start>", "<end>", "<unknown>", "a", "b", "n", "o")
    assert NAMES.encode("bz", start=True, end=True).tolist() == [1, 5, 3, 2]
    assert NAMES.encode("").dtype == np.int32
    assert Vocabulary.of(["obna"]) == NAMES
    assert hash(NAMES) == hash(Vocabulary(("a", "b", "n", "o")))
    assert Vocabulary.of("hello").tokens == ("e", "h", "l", "o")


def test_rare_tokens_are_unknown() -> None:
    words = Vocabulary.of(["to be or not to be", "be"], unit="words", minimum_count=2)
    assert words.tokens == ("be", "to")
    assert words.decode(words.encode("to  be\nor")) == "to be \ufffd"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1), st.text())
def test_what_is_known_comes_back(texts: list[str], other: str) -> None:
    vocabulary = Vocabulary.of(texts)
    for line in texts:
        assert vocabulary.decode(vocabulary.encode(line, start=True, end=True)) == line
    ids = vocabulary.encode(other)
    assert len(ids) == len(other)
    assert ((ids >= UNKNOWN) & (ids < len(vocabulary))).all()


def test_decoding_stops_at_the_first_end() -> None:
    assert NAMES.decode([START, 4, 6, END, 4, PADDING]) == "an"
    assert NAMES.decode(np.array([], np.int32)) == ""


def test_one_hot_rows() -> None:
    rows = NAMES.one_hot([[4, 0], [7, 3]])
    assert rows.shape == (2, 2, 8)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows.argmax(-1), [[4, 0], [7, 3]])
    np.testing.assert_array_equal(rows.sum(-1), np.ones((2, 2)))


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Vocabulary(()), ValueError, "'tokens' is empty"),
        (lambda: Vocabulary.of([]), ValueError, "of 0 different characters"),
        (lambda: Vocabulary.of(["", " "], unit="words"), ValueError, "at least one word"),
        (lambda: Vocabulary.of(["ab"], minimum_count=2), ValueError, "a smaller minimum_count"),
        (lambda: Vocabulary(("a", "b", "a")), ValueError, "'a' twice"),
        (lambda: Vocabulary(("a", 5)), DtypeError, "a tuple of strings"),  # type: ignore[arg-type]
        (lambda: Vocabulary(5), DtypeError, "a tuple of strings"),  # type: ignore[arg-type]
        (lambda: Vocabulary({"a", "b"}), DtypeError, "a tuple of strings"),  # type: ignore[arg-type]
        (lambda: Vocabulary(("ab",)), ValueError, "'ab' among characters"),
        (lambda: Vocabulary(("a b",), unit="words"), ValueError, "words without blanks"),
        (lambda: Vocabulary(("a",), unit="letters"), ValueError, "'characters', 'words'"),
        (lambda: Vocabulary.of([b"a"]), DtypeError, "is a bytes; expected a string"),  # type: ignore[list-item]
        (lambda: Vocabulary.of(["a"], minimum_count=0), ValueError, "at least 1"),
        (lambda: NAMES.encode(["a"]), DtypeError, "is a list; expected a string"),  # type: ignore[arg-type]
        (lambda: NAMES.decode([4, 8]), ValueError, r"8 at position 1; expected numbers in \[0, 8\)"),
        (lambda: NAMES.decode([-1]), ValueError, "-1 at position 0"),
        (lambda: NAMES.decode([[4]]), ValueError, r"of shape \(1, 1\)"),
        (lambda: NAMES.decode([4.0]), DtypeError, "whole numbers"),
        (lambda: NAMES.one_hot([[4, 9]]), ValueError, "9 at row 0, column 1"),
    ],
)
def test_vocabularies_refuse(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()


def test_padded_rows() -> None:
    tokens, lengths = pad([np.array([5, 6]), [7], [8, 9, 10]], length=4)
    assert tokens.tolist() == [[5, 6, 0, 0], [7, 0, 0, 0], [8, 9, 10, 0]]
    assert tokens.dtype == lengths.dtype == np.int32
    assert lengths.tolist() == [2, 1, 3]
    values, _ = pad([np.ones((2, 3)), np.ones((1, 3))])
    assert values.shape == (2, 2, 3)
    assert values.dtype == np.float32
    assert values[1, 1].tolist() == [0, 0, 0]
    dataset = Dataset(tokens[:, :-1], tokens[:, 1:], classes=tuple("abcdefghijkl"))
    assert dataset.targets.dtype == np.int32


def test_windows_meet_end_to_end() -> None:
    tokens = np.arange(23, dtype=np.uint8)
    inputs, targets = windows(tokens, 5)
    assert inputs.shape == targets.shape == (4, 5)
    assert inputs.dtype == np.int32
    np.testing.assert_array_equal(inputs.ravel(), np.arange(20))
    np.testing.assert_array_equal(targets, inputs + 1)
    inputs, targets = windows(tokens, 5, stride=2)
    np.testing.assert_array_equal(inputs[:, 0], np.arange(0, 18, 2))
    assert targets.max() == 21
    assert windows(tokens[:6], 5)[1].tolist() == [[1, 2, 3, 4, 5]]


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: pad([]), ShapeError, "'sequences' is empty"),
        (lambda: pad([[1], []]), ShapeError, r"'sequences\[1\]' is of shape \(0,\)"),
        (lambda: pad([[1], np.ones((1, 2))]), ShapeError, "of the same features"),
        (lambda: pad([[1, 2, 3]], length=2), ValueError, "sequence 0 has 3 steps"),
        (lambda: pad(["abc"]), DtypeError, r"vocabulary.encode\(text\)"),
        (lambda: pad([[np.nan]]), FormatError, "nan at row 0"),
        (lambda: windows([1, 2], 2), ShapeError, "at least 3"),
        (lambda: windows("abc", 2), DtypeError, "'tokens' is a str"),
        (lambda: windows([1, 2, 3], 0), ValueError, "'length' is 0"),
        (lambda: windows([1, 2, 3], 1, stride=0), ValueError, "'stride' is 0"),
    ],
)
def test_sequences_refuse(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \r\n\t\n", "of blanks alone"),
        (b"one\ntwo\n\xff\n", "line 3: is not UTF-8"),
        (b"one\n\0", "line 2: holds a NUL"),
        (b"x" * 101, "101 bytes, more than the 100 allowed"),
    ],
)
@pytest.mark.parametrize("load", [data.load_text, data.load_lines])
def test_files_that_are_no_text(tmp_path: Path, load: Any, content: bytes, words: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=words) as caught:
        load(path, max_bytes=100)
    assert str(caught.value).startswith(f"{load.__name__}: ")
    assert "Fix: " in str(caught.value)


def test_line_ends_and_marks(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffé\r\n b \r\n\r\nc\rd".encode())
    assert data.load_text(path) == "é\n b \n\nc\nd"
    assert data.load_lines(path) == ("é", "b", "c", "d")
    with pytest.raises(FileNotFoundError):
        data.load_text(tmp_path / "b.txt")


def test_names_through_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"emma\nolivia\nava"
    monkeypatch.setenv("JAXDL_DATA", str(tmp_path))
    monkeypatch.setattr(text, "NAMES_SHA256", hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(text, "NAMES_SIZE", len(content))
    monkeypatch.setattr(text, "NAMES_MIRRORS", ("http://127.0.0.1:9/names.txt",))
    with pytest.raises(ConnectionError, match=r"(?s)load_names: fetch: .*put the file names.txt into"):
        data.load_names()
    (tmp_path / "names" / "names.txt").write_bytes(content)
    assert data.load_names() == ("emma", "olivia", "ava")
