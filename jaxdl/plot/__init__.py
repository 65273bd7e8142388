"""Pictures, drawn by matplotlib without touching its global state."""

from .curves import history as history
from .rates import rate_range as rate_range
