"""Pictures, drawn by matplotlib without touching its global state."""

from .curves import history as history
from .decision_tree import tree as tree
from .regions import regions as regions
from .spread import spread as spread
