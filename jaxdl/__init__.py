"""Deep learning as pure JAX functions: a whole training run, or a sweep of them, is one compiled program."""

from . import activations as activations
from . import anchors as anchors
from . import backprop as backprop
from . import boxes as boxes
from . import data as data
from . import descent as descent
from . import errors as errors
from . import features as features
from . import filters as filters
from . import gradcheck as gradcheck
from . import graph as graph
from . import impurity as impurity
from . import initializers as initializers
from . import layers as layers
from . import losses as losses
from . import metrics as metrics
from . import models as models
from . import net as net
from . import optim as optim
from . import plot as plot
from . import probe as probe
from . import proposals as proposals
from . import receptive_field as receptive_field
from . import sampling as sampling
from . import scaling as scaling
from . import select as select
from . import similarity as similarity
from . import style as style
from . import train as train
from . import units as units
from . import vanishing as vanishing
from . import weights as weights

__version__ = "0.1.0"
