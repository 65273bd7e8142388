"""Metrics on disk: valid files that lose nothing, cut and resumed without a gap, read with care."""

import csv
import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logged import CURVES, KINDS, TEXT, cut, each, each_text, equal, timeless

from jaxdl.errors import DtypeError, FormatError
from jaxdl.train import History, log
from jaxdl.train.log import events


@each_text
def test_read_gives_back_every_bit(kind: Any, name: str, tmp_path: Path) -> None:
    kind(tmp_path / "runs" / name).write(CURVES)
    found = log.read(tmp_path / "runs" / name)
    assert isinstance(found, History)
    assert equal(found, CURVES)
    assert np.signbit(found["loss"][4])


@settings(max_examples=25, deadline=None)
@given(values=st.lists(st.floats(width=32), min_size=1, max_size=4), name=st.text(max_size=8))
def test_any_number_and_any_name_come_back(
    values: list[float], name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, curves = tmp_path_factory.mktemp("log"), {f"x{name}": np.float32(values)}
    for kind, file in TEXT:
        if kind is log.JSONLines or not set("\r\n]") & set(name):
            kind(folder / file).write(curves)
            found = log.read(folder / file)
            assert list(found) == list(curves)
            np.testing.assert_array_equal(found[f"x{name}"], curves[f"x{name}"])


def test_lines_are_json_and_rows_a_table_for_other_readers(tmp_path: Path) -> None:
    for kind, name in TEXT:
        kind(tmp_path / name).write(CURVES)

    def refuse(name: str) -> None:
        raise AssertionError(name)

    lines = [
        json.loads(line, parse_constant=refuse) for line in (tmp_path / "a.jsonl").read_text().splitlines()
    ]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4, 5]
    assert lines[2]["loss"] == "NaN"
    assert [line["valid_f1 [macro]"] for line in lines[1:3]] == ["Infinity", "-Infinity"]
    assert lines[0]["loss"] == 0.1
    assert np.shape(lines[4]["w"]) == (2, 2)
    with open(tmp_path / "a.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["w[1,0]"]) for row in rows] == pytest.approx(CURVES["w"][:, 1, 0])
    assert rows[3]["loss"] == "1e-45"


def test_the_same_numbers_give_the_same_bytes_however_they_were_cut(tmp_path: Path) -> None:
    for kind, name in TEXT:
        whole, pieces = kind(tmp_path / name), kind(tmp_path / f"pieces_{name}")
        whole.write(CURVES)
        for epoch in (1, 4, 5):
            pieces(SimpleNamespace(history=CURVES, epoch=epoch))
        pieces.close()
        assert whole.path.read_bytes() == pieces.path.read_bytes()


@each
@pytest.mark.parametrize(
    ("held", "done"), [(5, 5), (5, 3), (5, 1), (2, 3), (0, 3), (0, 0), (3, 3)], ids=lambda value: str(value)
)
def test_resume_leaves_every_epoch_once(kind: Any, name: str, held: int, done: int, tmp_path: Path) -> None:
    whole = kind(tmp_path / f"whole_{name}")
    whole.write(CURVES)
    if held:
        kind(tmp_path / name).write(cut(CURVES, held))
    writer = kind(tmp_path / name)
    writer.begin(CURVES, done, resume=True)
    assert timeless(writer.path) == timeless(whole.path)[: len(timeless(writer.path))]
    assert len(timeless(writer.path)) == len(writer.head(CURVES)) + done * len(writer.records(CURVES, 0))
    writer.advance(CURVES, 5)
    writer.close()
    assert timeless(writer.path) == timeless(whole.path)


@each
def test_a_file_that_holds_something_is_not_overwritten(kind: Any, name: str, tmp_path: Path) -> None:
    kind(tmp_path / name).write(CURVES)
    before = kind(tmp_path / name).path.read_bytes()
    with pytest.raises(ValueError, match=r"holds \d+ bytes already.*Fix: another path, or .*overwrite=True"):
        kind(tmp_path / name).begin(CURVES)
    other = {**CURVES, "loss": CURVES["loss"] + 1}
    with pytest.raises(FormatError, match="this file belongs to another run"):
        kind(tmp_path / name).begin(other, 3, resume=True)
    assert kind(tmp_path / name).path.read_bytes() == before
    kind(tmp_path / name, overwrite=True).begin(CURVES)
    assert len(kind(tmp_path / name).path.read_bytes()) < len(before)


def test_a_header_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    log.CSV(tmp_path / "a.csv").write(cut(CURVES, 2))
    for curves in ({"loss": CURVES["loss"]}, {**CURVES, "valid_loss": CURVES["loss"]}):
        with pytest.raises(FormatError, match=r"'epoch,loss,valid_f1 \[macro\].*; expected 'epoch,loss"):
            log.CSV(tmp_path / "a.csv").begin(curves, 1, resume=True)


@pytest.mark.parametrize("content", [b"my notes", b"my notes\n", b'{"epoch": 1}\n', b"\xff" * 40])
@each
def test_somebody_elses_file_is_left_alone(kind: Any, name: str, content: bytes, tmp_path: Path) -> None:
    writer = kind(tmp_path / name)
    writer.path.parent.mkdir(exist_ok=True)
    writer.path.write_bytes(content)
    with pytest.raises(FormatError, match="another path"):
        writer.begin(CURVES, 2, resume=True)
    assert writer.path.read_bytes() == content


@each
def test_a_run_that_begins_anew_with_resume_sets_the_old_file_aside(
    kind: Any, name: str, tmp_path: Path
) -> None:
    kind(tmp_path / name).write(CURVES)
    before = kind(tmp_path / name).path.read_bytes()
    for number in (1, 2):
        writer = kind(tmp_path / name)
        with pytest.warns(RuntimeWarning, match=rf"held is now .*\.{number}"):
            writer.begin(CURVES, 0, resume=True)
        assert "tfevents" not in writer.aside(number).name
        writer.advance(CURVES, 5)
        assert len(writer.path.read_bytes()) == len(before) == len(writer.aside(number).read_bytes())
    assert writer.aside(1).read_bytes() == before


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield (number, value) of a protocol buffer: the slow, obvious decoder."""
    place = 0
    while place < len(data):
        key, place = data[place], place + 1
        size = {0: None, 1: 8, 2: None, 5: 4}[key & 7]
        if size is None:
            value = shift = 0
            while True:
                byte, place = data[place], place + 1
                value |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
            if key & 7 == 0:
                yield key >> 3, value
                continue
            size = value
        yield key >> 3, data[place : place + size]
        place += size


def test_events_hold_every_number_at_its_step(tmp_path: Path) -> None:
    writer = log.TensorBoard(tmp_path)
    writer.write(CURVES)
    found: dict[str, list[tuple[int, float]]] = {}
    frames = writer.split(writer.path.read_bytes())
    assert dict(fields(frames[0][events.HEADER : -events.FOOTER]))[3] == b"brain.Event:2"
    for frame in frames[1:]:
        event = dict(fields(frame[events.HEADER : -events.FOOTER]))
        for _, value in fields(event[5]):
            entry = dict(fields(value))
            found.setdefault(entry[1].decode(), []).append((event[2], struct.unpack("<f", entry[2])[0]))
    assert set(found) == {
        "epoch/loss",
        "epoch/valid_f1 [macro]",
        "step/loss",
        *(f"epoch/w[{i},{j}]" for i in (0, 1) for j in (0, 1)),
    }
    assert found["step/loss"] == [(step, float(step)) for step in range(15)]
    for name, curve in (("loss", CURVES["loss"]), ("w[1,0]", CURVES["w"][:, 1, 0])):
        steps, values = zip(*found[f"epoch/{name}"])
        assert steps == (1, 2, 3, 4, 5)
        np.testing.assert_array_equal(np.float32(values), curve)


def test_events_are_tensorboards_own_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    # What tensorboard 2.21 writes for these values (RecordWriter, Event) at the time 1.5.
    wanted = (
        "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c3000000000"
        "00000095f5d05f09000000000000f83f10012a230a110a0a65706f63682f6c6f7373150000003f0a0e0a076570"
        "6f63682f7a1500000000375e2d45300000000000000095f5d05f09000000000000f83f10022a230a110a0a6570"
        "6f63682f6c6f7373150000c07f0a0e0a0765706f63682f7a15000080bfd746c795"
    )
    monkeypatch.setattr(events.time, "time", lambda: 1.5)
    writer = log.TensorBoard("unused")
    curves = {"loss": np.float32([0.5, np.nan]), "z": np.float32([0, -1])}
    made = b"".join(writer.head(curves) + writer.records(curves, 0) + writer.records(curves, 1))
    assert made.hex() == wanted
    assert events.crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C
    assert events.crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"epoch": 1, "loss": NaN}\n', "NaN is not JSON"),
        ('{"epoch": 2, "loss": 1}\n', "record 1 is not of epoch 1"),
        ('{"epoch": 1, "loss": 1}\n{"epoch": 3, "loss": 1}\n', "record 2"),
        ('{"epoch": 1, "loss": 1}\n{"epoch": 2, "cost": 1}\n', "other names"),
        ('{"epoch": 1, "loss": "large"}\n', "large"),
        ('{"epoch": 1, "loss": true}\n', "True is no number"),
        ('{"epoch": 1, "loss": [1, [2]]}\n', "shape"),
        ('{"epoch": 1, "loss": [1]}\n{"epoch": 2, "loss": [1, 2]}\n', "shape"),
        ("[1, 2]\n", "no JSON object"),
        ('{"epoch": 1, "loss": ' + "[" * 100_000 + "\n", "recursion|Expecting value|nested"),
        ('{"epoch": 1, "loss": 1' + "0" * 400 + "}\n", "too large"),
        ("not json\n", "Expecting value"),
        ("\xff\n", "utf-8"),
    ],
)
def test_read_refuses_what_is_no_log(content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(content.encode("latin-1"))
    with pytest.raises(FormatError, match=words):
        log.read(tmp_path / "a.jsonl")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "not enough values"),
        ("epoch,loss\n1,2,3\n", "row 1 has 3 cells"),
        ("epoch,loss,loss\n1,2,3\n", "3 cells for 2 columns"),
        ("epoch,loss\n1,large\n", "could not convert"),
        ("epoch,w[0],w[2]\n1,2,3\n", "columns of 'w' are missing"),
        ("epoch,w[0],w[99999999999]\n1,2,3\n", "columns of 'w' are missing"),
        ('epoch,w[0],"w[0,1]"\n1,2,3\n', "argument 2 is longer"),
        ("loss\n1\n", "record 1 is not of epoch 1"),
        ('epoch,"lo\n', "unexpected end|EOF"),
    ],
)
def test_read_refuses_what_is_no_table(content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(FormatError, match=words):
        log.read(tmp_path / "a.csv")


def test_read_leaves_out_a_line_that_is_not_finished(tmp_path: Path) -> None:
    for kind, name in TEXT:
        kind(tmp_path / name).write(CURVES)
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[:-3])
        assert equal(log.read(tmp_path / name), cut(CURVES, 4))
    (tmp_path / "b.jsonl").write_text("")
    assert log.read(tmp_path / "b.jsonl").epochs == 0


def test_wrong_arguments(tmp_path: Path) -> None:
    for kind, _ in KINDS:
        for path in (None, 3, [tmp_path]):
            with pytest.raises(DtypeError, match=r"expected a path\. Fix: "):
                kind(path)
    for entry, error, words in (
        ("runs/a.txt", ValueError, r"expected a path that ends in .jsonl or .csv. Fix: .*TensorBoard"),
        ("runs/a", ValueError, "expected a path that ends in .jsonl or .csv"),
        (3, DtypeError, "a path or a writer"),
        ([log.CSV("a.csv"), Path("./a.csv")], ValueError, "twice"),
        ([["a.csv"]], DtypeError, "a list"),
    ):
        with pytest.raises(error, match=words):
            log.writers(entry)
    assert [type(writer) for writer in log.writers(("a.jsonl", Path("a.csv")))] == [log.JSONLines, log.CSV]
    assert log.writers(None) == []
    with pytest.raises(ValueError, match=re.escape("a file of .jsonl, .ndjson, .csv")):
        log.read(tmp_path / "tfevents")
    for kind, name in TEXT:
        with pytest.raises(ValueError, match="every record says its epoch"):
            kind(tmp_path / name).begin({"epoch": CURVES["loss"]})
    for name in ("w[0]", "two\nlines"):
        with pytest.raises(ValueError, match="a name of one line"):
            log.CSV(tmp_path / "b.csv").begin({name: CURVES["loss"]})
    with pytest.raises(IsADirectoryError):
        log.CSV(tmp_path).begin(CURVES)
