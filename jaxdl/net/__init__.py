"""The functional contract: any network as two pure functions over plain nested dicts of arrays.

::

    Net.init(key) -> params, state
    Net.apply(params, state, x, train=..., key=None, hyper=None) -> y, state

`params` is what an optimizer changes, `state` what a forward pass changes (running statistics of batch
norm). `functional` makes a `Net` of a flax NNX module, `from_linen` of a Linen module, `from_pair` of two
bare functions. Splitting and merging of modules happen at trace time only.
"""

from ._capture import LayerOutput as LayerOutput
from ._summary import summary as summary
from .contract import Apply as Apply
from .contract import Net as Net
from .contract import Tree as Tree
from .contract import require as require
from .from_flax_linen import from_linen as from_linen
from .from_functions import from_pair as from_pair
from .from_nnx import functional as functional
from .mixed_precision import mixed_precision as mixed_precision
from .sliding import SlidingWindows as SlidingWindows
from .sliding import as_convolution as as_convolution
from .starting import start_from as start_from
