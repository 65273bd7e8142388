"""SIGKILL at random instants, while a run trains, saves or resumes: its end is that of the unbroken run."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
# What is killed is not the compiler; `make test-kill` compiles as users do.
HURRY = {"JAX_DISABLE_MOST_OPTIMIZATIONS": os.environ.get("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")}


def kill(work: str, kills: int, seed: int) -> dict[str, Any]:
    paths = os.pathsep.join(str(ROOT / name) for name in ("tests", "tests/train", "."))
    script = ROOT / "tests" / "train" / "kills.py"
    done = subprocess.run(
        [sys.executable, script, work, "--kills", str(kills), "--seed", str(seed)],
        env=os.environ | HURRY | {"PYTHONPATH": paths}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert sum(found["kills"].values()) == kills
    assert found["runs"] >= 2
    (end,) = found["ends"]
    assert "Error" not in end
    return found


@pytest.mark.parametrize(("work", "kills"), [("store", 10), ("fit", 2)])
def test_a_few_kills_lose_nothing(work: str, kills: int) -> None:
    kill(work, kills, seed=1)


@pytest.mark.slow  # two minutes
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("work", ["store", "fit"])
def test_fifty_kills_lose_nothing(work: str) -> None:
    found = kill(work, 50, seed=2)
    assert min(found["kills"].values()) >= 5
