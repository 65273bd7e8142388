"""Pictures, drawn by matplotlib without touching its global state."""

from .comparison import comparison as comparison
from .curves import history as history
from .layers import activation_histograms as activation_histograms
from .layers import gradients_by_depth as gradients_by_depth
