"""Buffers to and from the disk, by Orbax."""

from pathlib import Path
from typing import Any

import numpy as np

from jaxdl.train.checkpoint.manifest import Damaged
from jaxdl.train.checkpoint.pack import Buffers, digests


def save(folder: Path, buffers: Buffers) -> None:
    """Write buffers into a new folder.

    Raises:
        OSError: they cannot be written.
    """
    try:
        with _context() as orbax:
            orbax.save(folder, buffers)
    except Exception as error:  # Orbax words a full disk as a ValueError
        raise OSError(f"checkpoint: {folder} cannot be written ({type(error).__name__}: {error})") from error


def load(folder: Path, expected: dict[str, dict[str, Any]]) -> Buffers:
    """Read buffers of these dtypes and lengths, and compare them with their digests.

    Raises:
        Damaged: they cannot be read, or are others than were saved.
    """
    like = {name: np.empty(entry["length"], entry["dtype"]) for name, entry in expected.items()}
    try:
        with _context() as orbax:
            found: Buffers = orbax.load(folder, like)
    except Exception as error:  # of whatever class: what cannot be read is damaged, and said to be
        raise Damaged(f"{folder.name} cannot be read ({type(error).__name__}: {error})") from error
    if digests(found) != expected:
        raise Damaged(f"{folder.name} holds other numbers than were saved")
    return found


class _context:
    """Orbax, set to write one buffer in few steps: not compressed, one file tree, of the one process."""

    def __enter__(self) -> Any:
        from orbax.checkpoint import v1 as orbax  # it takes 0.4 s to import

        self.context = orbax.Context()
        saving = self.context.array.saving
        saving.use_compression, saving.enable_write_sharding_file = False, False
        saving.array_metadata_store, saving.enable_post_merge_validation = None, False
        self.context.__enter__()
        return orbax

    def __exit__(self, *error: Any) -> None:
        self.context.__exit__(*error)
