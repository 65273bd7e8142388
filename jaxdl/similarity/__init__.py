"""What embeddings are used for: distances, verification, recognition, learning from one example."""

from .distances import distances as distances
from .distances import normalise as normalise
from .episodes import RULES as RULES
from .episodes import FewShot as FewShot
from .episodes import few_shot as few_shot
from .pairing import HardestPairs as HardestPairs
from .pairing import Pairs as Pairs
from .pairing import hardest_pairs as hardest_pairs
from .pairing import pairs as pairs
from .threshold import OBJECTIVES as OBJECTIVES
from .threshold import Threshold as Threshold
from .threshold import choose_threshold as choose_threshold
from .verification import UNKNOWN as UNKNOWN
from .verification import Recognition as Recognition
from .verification import Verification as Verification
from .verification import recognise as recognise
from .verification import verify as verify
