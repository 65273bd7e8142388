"""Pictures, drawn by matplotlib without touching its global state."""

from .curves import history as history
from .paths import gradient_field as gradient_field
from .paths import paths as paths
from .rates import rate_range as rate_range
