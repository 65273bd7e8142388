"""Pictures, drawn by matplotlib without touching its global state."""

from .computation import graph as graph
from .curves import history as history
from .slopes import descent as descent
from .slopes import times as times
