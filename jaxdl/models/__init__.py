"""Models: a frozen config, named constructors, a flax module; one model, one file."""

from . import decision_tree as decision_tree
from . import linear_regression as linear_regression
from . import logistic_regression as logistic_regression
from . import perceptron as perceptron
from . import softmax_regression as softmax_regression
from ._linear import LinearModel as LinearModel
from .alexnet import AlexNet as AlexNet
from .alexnet import AlexNetConfig as AlexNetConfig
from .alexnet import AlexNetStage as AlexNetStage
from .decision_tree import DecisionTree as DecisionTree
from .googlenet import GoogLeNet as GoogLeNet
from .googlenet import GoogLeNetConfig as GoogLeNetConfig
from .inception import Inception as Inception
from .inception import InceptionWidths as InceptionWidths
from .mlp import MLP as MLP
from .mlp import MLPConfig as MLPConfig
from .perceptron import Perceptron as Perceptron
from .vgg import VGG as VGG
from .vgg import VGGConfig as VGGConfig
