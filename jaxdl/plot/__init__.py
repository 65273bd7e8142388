"""Pictures, drawn by matplotlib without touching its global state."""

from .classification import confusion_matrix as confusion_matrix
from .classification import precision_recall as precision_recall
from .classification import roc as roc
from .classification import worst_mistakes as worst_mistakes
from .curves import history as history
from .selection import learning_curve as learning_curve
from .selection import random_search as random_search
from .selection import validation_curve as validation_curve
