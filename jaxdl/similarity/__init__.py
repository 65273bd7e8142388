"""What embeddings are used for: distances, verification, recognition, learning from one example."""

from .distances import distances as distances
from .distances import normalise as normalise
from .episodes import FewShot as FewShot
from .episodes import few_shot as few_shot
from .threshold import OBJECTIVES as OBJECTIVES
from .threshold import Threshold as Threshold
from .threshold import choose_threshold as choose_threshold
