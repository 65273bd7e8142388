"""Neural style transfer: the content of one picture in the style of another, with any feature network."""

from .losses import content_loss as content_loss
from .losses import gram as gram
from .losses import style_loss as style_loss
from .losses import total_variation as total_variation
from .network import StyleFeatures as StyleFeatures
from .network import StyleFeaturesConfig as StyleFeaturesConfig
from .transfer import Transfer as Transfer
from .transfer import transfer as transfer
