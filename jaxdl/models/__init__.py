"""Models: a frozen config, named constructors, a flax module; one model, one file."""

from . import linear_regression as linear_regression
from . import logistic_regression as logistic_regression
from ._linear import LinearModel as LinearModel
from .mlp import MLP as MLP
from .mlp import MLPConfig as MLPConfig
