"""Which writers `fit(log=...)` means."""

import os
from pathlib import Path
from typing import Any

from jaxdl.errors import DtypeError, explain
from jaxdl.train.log.text import CSV, JSONLines
from jaxdl.train.log.writer import Writer


def writers(log: Any) -> list[Writer]:
    """Return the writers that `fit(log=...)` asks for.

    Args:
        log: None, a path that ends in ``.jsonl`` or ``.csv``, a `Writer`, or a list of such.

    Returns:
        The writers.

    Raises:
        ValueError: a path of another suffix, or the same file twice.
        DtypeError: something else.

    Example:
        >>> from jaxdl.train import log
        >>> [type(writer).__name__ for writer in log.writers(["runs/a.jsonl", log.TensorBoard("runs/a")])]
        ['JSONLines', 'TensorBoard']
    """
    entries = [] if log is None else list(log) if isinstance(log, list | tuple) else [log]
    found = [entry if isinstance(entry, Writer) else _by_suffix(entry) for entry in entries]
    paths = [writer.path.absolute() for writer in found]
    for path in paths:
        if paths.count(path) > 1:
            raise ValueError(
                explain("fit", "log", got=f"{path} twice", expected="every file once", fix="another path")
            )
    return found


def _by_suffix(path: Any) -> Writer:
    if not isinstance(path, str | os.PathLike):
        raise DtypeError(
            explain("fit", "log", got=f"a {type(path).__name__}", expected="a path or a writer of train.log",
                    fix="log='runs/a.jsonl', or log=train.log.TensorBoard('runs/a')")
        )  # fmt: skip
    for kind in (JSONLines, CSV):
        if Path(path).suffix in kind.suffixes:
            return kind(Path(path))
    raise ValueError(
        explain("fit", "log", got=repr(str(path)), expected="a path that ends in .jsonl or .csv",
                fix="log='runs/a.jsonl', or log=train.log.TensorBoard('runs/a')")
    )  # fmt: skip
