"""Sweeps: many runs, each with hyperparameters and a seed of its own, as one compiled program."""

from . import points as points
from .points import Points as Points
from .result import Sweep as Sweep
from .run import sweep as sweep
from .table import Table as Table
