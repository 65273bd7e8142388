"""Pictures, drawn by matplotlib without touching its global state."""

from .comparison import comparison as comparison
from .curves import history as history
from .graphs import activations as activations
from .graphs import functions as functions
from .graphs import step_and_sigmoid as step_and_sigmoid
from .layers import activation_histograms as activation_histograms
from .layers import gradients_by_depth as gradients_by_depth
from .surfaces import cost_surfaces as cost_surfaces
