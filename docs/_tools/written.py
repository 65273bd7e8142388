"""Writing of generated pages: one that has not changed is left as it is, and so is what was built of it."""

from collections.abc import Mapping
from pathlib import Path


def file(path: Path, text: str) -> None:
    """Write a text unless the file holds it already."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def folder(path: Path, texts: Mapping[str, str]) -> None:
    """Write texts by name into a folder that then holds nothing else."""
    path.mkdir(exist_ok=True)
    for old in path.iterdir():
        if old.name not in texts:
            old.unlink()
    for name, text in texts.items():
        file(path / name, text)
