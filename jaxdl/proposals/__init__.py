"""Region proposals for R-CNN and Fast R-CNN, on the host in NumPy, and the crops of images at them."""

from .batch import propose as propose
from .crops import add_truth as add_truth
from .crops import crops as crops
from .crops import warp as warp
from .recall import recall as recall
from .search import selective_search as selective_search
from .segmentation import graph_segmentation as graph_segmentation
