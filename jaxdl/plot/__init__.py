"""Pictures, drawn by matplotlib without touching its global state."""

from .boundaries import boundary as boundary
from .curves import history as history
