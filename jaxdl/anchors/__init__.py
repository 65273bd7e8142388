"""Anchor boxes: grids of them, which object each answers for, sampling, and shapes found by clustering."""

from .clustering import Clusters as Clusters
from .clustering import kmeans as kmeans
from .grids import grid as grid
from .grids import shapes as shapes
from .matching import Assignment as Assignment
from .matching import assign as assign
from .subsets import sample as sample
