"""Checkpoints: Orbax under a manifest of digests, written whole or not at all, verified before reading."""

from jaxdl.errors import CheckpointWarning as CheckpointWarning

from .identity import describe as describe
from .policy import Checkpoint as Checkpoint
from .saver import Saver as Saver
from .store import Saved as Saved
from .store import Store as Store
