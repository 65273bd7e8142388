"""Optimizers as optax chains whose hyperparameters may be traced, so that a sweep is one compilation."""

from .rules import MOMENTUM_FORMS as MOMENTUM_FORMS
from .rules import Scalar as Scalar
from .rules import adam as adam
from .rules import momentum as momentum
from .rules import sgd as sgd
