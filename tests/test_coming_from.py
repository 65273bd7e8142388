"""The page for those who come from elsewhere: every block runs, and what both sides compute is the same."""

import re
import warnings
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "coming_from.md").read_text()
BLOCK = re.compile(r"^\*\*(.+?)\*\*\n\n```python\n(.*?)^```$", re.S | re.M)
SAME = re.compile(r"<!-- same: (.+) (\S+) -->")
LIBRARIES = {"PyTorch": "torch", "Keras": "keras", "scikit-learn": "sklearn"}
SECTIONS = {text.partition("\n")[0]: text for text in PAGE.split("\n## ")[2:]}
PEERS = [
    (title, label)
    for title, text in SECTIONS.items()
    for label, _ in BLOCK.findall(text)
    if label in LIBRARIES
]
OURS: dict[str, dict[str, Any]] = {}


def start(title: str) -> dict[str, Any]:
    """Return the names that both sides of a section begin with."""
    names: dict[str, Any] = {}
    shared = PAGE.split("The blocks share these lines:")[1].split("```python\n")[1].split("```")[0]
    exec(shared, names)
    for label, code in BLOCK.findall(SECTIONS[title]):
        if label == "Both sides":
            exec(code, names)
    return names


def ours(title: str) -> dict[str, Any]:
    """Return what our side of a section computes; each is run once."""
    if title not in OURS:
        names = start(title)
        exec(dict(BLOCK.findall(SECTIONS[title]))["jaxdl"], names)
        OURS[title] = names
    return OURS[title]


@pytest.mark.parametrize("title", SECTIONS)
def test_our_side_runs_and_makes_what_is_compared(title: str) -> None:
    found = ours(title)
    names, _ = SAME.findall(SECTIONS[title])[0]
    for name in names.split():
        values = np.asarray(found[name])
        assert values.dtype.kind == "U" or np.isfinite(values).all()


@pytest.mark.parametrize(("title", "label"), PEERS)
def test_both_sides_agree(title: str, label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    code = dict(BLOCK.findall(SECTIONS[title]))[label]
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    for library in {LIBRARIES[label], *re.findall(r"^import (torchvision)", code, re.M)}:
        pytest.importorskip(library, reason=f"{library} is not installed: its side of the page is not run")
    theirs = start(title)
    with warnings.catch_warnings(), jax.numpy_rank_promotion("allow"):  # Theirs are no matter of ours.
        warnings.simplefilter("ignore")
        exec(code, theirs)
    names, tolerance = SAME.findall(SECTIONS[title])[0]
    for name in names.split():
        mine, other = np.asarray(ours(title)[name]), np.asarray(theirs[name])
        assert mine.shape == other.shape
        if mine.dtype.kind == "U":
            assert mine.tolist() == other.tolist()
        else:
            scale = float(np.abs(other.astype(float)).max()) or 1.0
            np.testing.assert_allclose(mine, other, rtol=0, atol=float(tolerance) * scale)


def test_every_section_has_our_side_and_a_peer() -> None:
    for title, text in SECTIONS.items():
        labels = [label for label, _ in BLOCK.findall(text)]
        assert "jaxdl" in labels, title
        assert {*labels} & {*LIBRARIES}, title
        assert len(SAME.findall(text)) == 1, title
        assert text.count("```python") == len(labels), title
