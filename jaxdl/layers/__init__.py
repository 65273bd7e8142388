"""Layers: flax's own modules with our kernels and safe defaults, and our own where flax has none."""

from .activation import ACTIVATIONS as ACTIVATIONS
from .activation import Activation as Activation
from .any_cell import Recurrent as Recurrent
from .connected import ConnectedConv as ConnectedConv
from .conv import Conv as Conv
from .conv import ConvTranspose as ConvTranspose
from .dense import Linear as Linear
from .dropout import Dropout as Dropout
from .embedding import Embedding as Embedding
from .norm import BatchNorm as BatchNorm
from .pool import AdaptiveAvgPool as AdaptiveAvgPool
from .pool import AdaptiveMaxPool as AdaptiveMaxPool
from .pool import AvgPool as AvgPool
from .pool import Flatten as Flatten
from .pool import GlobalAvgPool as GlobalAvgPool
from .pool import GlobalMaxPool as GlobalMaxPool
from .pool import MaxPool as MaxPool
from .prelu import PReLU as PReLU
from .radial_basis import RadialBasis as RadialBasis
from .recurrent import GRU as GRU
from .recurrent import LSTM as LSTM
from .recurrent import RNN as RNN
from .response_norm import LocalResponseNorm as LocalResponseNorm
from .steps import last_step as last_step
from .subsample import Subsample as Subsample
