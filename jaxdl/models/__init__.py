"""Models: a frozen config, named constructors, a flax module; one model, one file."""

from . import decision_tree as decision_tree
from .decision_tree import DecisionTree as DecisionTree
from .mlp import MLP as MLP
from .mlp import MLPConfig as MLPConfig
