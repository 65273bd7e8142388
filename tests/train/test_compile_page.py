"""The page on compiling: its code runs as it stands."""

import doctest
import os
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "compile.md"


def test_the_page_runs() -> None:
    failed, attempted = doctest.testfile(str(PAGE), module_relative=False)
    assert attempted > 15
    assert failed == 0


def test_the_cache_of_the_page_fills(tmp_path: Path) -> None:
    # In a process of its own: the cache of a process stays on.
    (block,) = (
        part.split("```")[0] for part in PAGE.read_text().split("```python\n") if "_cache(" in part[:90]
    )
    code = f"{block}\nimport jax\njax.jit(lambda x: x + 1)(1.0)\nprint(folder)"
    environment = {**os.environ, "JAXDL_CACHE": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip())
    assert folder.parent == tmp_path
    assert any("jit__lambda" in path.name for path in folder.iterdir())
