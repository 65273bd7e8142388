"""Models: a frozen config, named constructors, a flax module; one model, one file."""

from .mlp import MLP as MLP
from .mlp import MLPConfig as MLPConfig
