"""Deep learning as pure JAX functions: a whole training run, or a sweep of them, is one compiled program."""

from jaxdl import activations as activations
from jaxdl import initializers as initializers
from jaxdl import losses as losses
from jaxdl import metrics as metrics
from jaxdl import optim as optim

__version__ = "0.1.0"
