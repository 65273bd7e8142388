"""Folders of checkpoints for the tests of training."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from checkpoints import RECORD, tree

from jaxdl.train.checkpoint import Store, arrays, files


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the steps 1 and 2."""
    folder = tmp_path_factory.mktemp("made") / "run"
    with Store(folder) as store:
        for step in (1, 2):
            store.save(step, tree(step), RECORD | {"epoch": step})
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def small_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the place of Orbax, where what it writes does not matter: one small file, 30 ms less a save."""

    def save(folder: Path, buffers: dict[str, np.ndarray]) -> None:
        folder.mkdir()
        files.write(folder / "data", b"".join(buffer.tobytes() for buffer in buffers.values()))

    monkeypatch.setattr(arrays, "save", save)
