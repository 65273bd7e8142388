"""Model selection: splits are in `jaxdl.data`; here are the curves, verdicts and searches made with them.

Whatever is fitted many times (sizes, lambdas, degrees, folds, members of a search) is one compiled program,
made for all at once if the intermediate results that XLA reports for that stay within `memory_limit`, else
once more, for as many at once as do (`jax.lax.map` with a batch size); `batch_size` sets that number.
"""

from .choice import Choice as Choice
from .choice import choose as choose
from .curves import Curve as Curve
from .curves import learning_curve as learning_curve
from .curves import validation_curve as validation_curve
from .diagnosis import Diagnosis as Diagnosis
from .diagnosis import diagnose as diagnose
from .features import Masked as Masked
from .features import masked as masked
from .risk import StructuralRisk as StructuralRisk
from .risk import structural_risk as structural_risk
from .search import Range as Range
from .search import Search as Search
from .search import random_search as random_search
