"""What units see: the patches that excite them most, and the pixels that a class score hangs on."""

from .patches import TopPatches as TopPatches
from .patches import top_patches as top_patches
from .saliency import saliency as saliency
