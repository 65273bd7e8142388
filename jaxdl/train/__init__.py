"""Training: a whole run as one pure function, the same run in chunks, and what follows it."""

from . import log as log
from .fit import Fitted as Fitted
from .fit import Timing as Timing
from .fit import fit as fit
from .history import History as History
from .loop import Program as Program
from .loop import make_program as make_program
from .loop import make_train as make_train
from .model_file import Loaded as Loaded
from .model_file import load as load
from .model_file import save as save
from .order import batch_order as batch_order
from .order import steps_per_epoch as steps_per_epoch
from .predict import evaluate as evaluate
from .predict import predict as predict
from .rate_range import RateRange as RateRange
from .rate_range import make_rate_range as make_rate_range
from .rate_range import rate_range as rate_range
from .spec import Arrays as Arrays
from .spec import Carry as Carry
from .spec import Health as Health
from .spec import Result as Result
from .spec import Spec as Spec
from .spec import Step as Step
from .statistics import exact_statistics as exact_statistics
