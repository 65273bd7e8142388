"""Every example runs for a few steps, in this process: its claims are not judged, but all of it must run."""

import functools
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import matplotlib.figure
import pytest
import sklearn.datasets

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / "examples").glob("[!_]*.py"))


@pytest.fixture(autouse=True, scope="module")
def digits_are_read_once() -> Iterator[None]:
    """Half of the examples take these digits, which scikit-learn parses from text for a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sklearn.datasets, "load_digits", functools.cache(sklearn.datasets.load_digits))
        yield


@pytest.fixture(autouse=True)
def coarse_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write pictures coarsely, each thing where it happens to stand: few pixels, and no search for room."""
    fine = matplotlib.figure.Figure.savefig

    def savefig(self: Any, *arguments: Any, **options: Any) -> None:
        self.set_layout_engine("none")
        fine(self, *arguments, **options | {"dpi": 20})

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", savefig)


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_for_a_few_steps(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("JAXDL_DATA", raising=False)
    example = importlib.import_module(f"examples.{name}")
    with jax.numpy_rank_promotion("allow"):  # as it is where they are run by hand
        assert example.main(["--effort", "few", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("reached: ") for line in said) == 1, said
