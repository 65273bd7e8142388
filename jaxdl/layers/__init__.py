"""Layers: flax's own modules with our kernels and safe defaults, and our own where flax has none."""

from .activation import ACTIVATIONS as ACTIVATIONS
from .activation import Activation as Activation
from .dense import Linear as Linear
from .dropout import Dropout as Dropout
from .norm import BatchNorm as BatchNorm
from .prelu import PReLU as PReLU
