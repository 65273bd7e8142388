"""Models: a frozen config, named constructors, a flax module; one model, one file."""

from . import decision_tree as decision_tree
from . import linear_regression as linear_regression
from . import logistic_regression as logistic_regression
from . import perceptron as perceptron
from . import softmax_regression as softmax_regression
from ._linear import LinearModel as LinearModel
from ._stages import stack_blocks as stack_blocks
from ._stages import unstack_blocks as unstack_blocks
from .decision_tree import DecisionTree as DecisionTree
from .lenet import LeNet5 as LeNet5
from .lenet import LeNet5Config as LeNet5Config
from .mlp import MLP as MLP
from .mlp import MLPConfig as MLPConfig
from .perceptron import Perceptron as Perceptron
from .residual import BasicBlock as BasicBlock
from .residual import Bottleneck as Bottleneck
from .resnet import ResNet as ResNet
from .resnet import ResNetConfig as ResNetConfig
from .resnet_cifar import CifarResNet as CifarResNet
from .resnet_cifar import CifarResNetConfig as CifarResNetConfig
from .signal_net import SignalNet as SignalNet
from .signal_net import SignalNetConfig as SignalNetConfig
from .volume_net import VolumeNet as VolumeNet
from .volume_net import VolumeNetConfig as VolumeNetConfig
