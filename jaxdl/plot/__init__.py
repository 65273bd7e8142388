"""Pictures, drawn by matplotlib without touching its global state."""

from .curves import history as history
from .decision_tree import tree as tree
