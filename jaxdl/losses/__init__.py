"""Losses. Each returns one value per example; `reduce` turns these into the scalar to be differentiated."""

from .binary import binary_cross_entropy as binary_cross_entropy
from .classification import softmax_cross_entropy as softmax_cross_entropy
from .reduction import REDUCTIONS as REDUCTIONS
from .reduction import reduce as reduce
from .regression import squared_error as squared_error
