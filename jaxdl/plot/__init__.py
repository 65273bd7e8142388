"""Pictures, drawn by matplotlib without touching its global state."""

from .boundaries import boundary as boundary
from .classification import confusion_matrix as confusion_matrix
from .classification import precision_recall as precision_recall
from .classification import roc as roc
from .classification import worst_mistakes as worst_mistakes
from .comparison import comparison as comparison
from .computation import graph as graph
from .curves import history as history
from .decision_tree import tree as tree
from .graphs import activations as activations
from .graphs import functions as functions
from .graphs import step_and_sigmoid as step_and_sigmoid
from .layers import activation_histograms as activation_histograms
from .layers import gradients_by_depth as gradients_by_depth
from .paths import gradient_field as gradient_field
from .paths import paths as paths
from .rates import rate_range as rate_range
from .regions import regions as regions
from .selection import learning_curve as learning_curve
from .selection import random_search as random_search
from .selection import validation_curve as validation_curve
from .slopes import descent as descent
from .slopes import times as times
from .spread import spread as spread
from .surfaces import cost_surfaces as cost_surfaces
