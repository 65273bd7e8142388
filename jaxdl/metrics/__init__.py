"""Metrics. Those of a single example give one value per example, like the losses.

The others say that they take whole arrays: they are not means over examples, so that a training run, which
averages over batches, cannot record them; call them on the outputs of `train.predict`.
"""

from .classification import accuracy as accuracy
from .classification import binary_accuracy as binary_accuracy
from .confusion import AVERAGES as AVERAGES
from .confusion import confusion_matrix as confusion_matrix
from .confusion import f1 as f1
from .confusion import precision as precision
from .confusion import recall as recall
from .detection import MeanAveragePrecision as MeanAveragePrecision
from .detection import PrecisionRecall as PrecisionRecall
from .detection import coco as coco
from .detection import mean_average_precision as mean_average_precision
from .localisation import localisation_accuracy as localisation_accuracy
from .ranking import RocCurve as RocCurve
from .ranking import ThresholdSweep as ThresholdSweep
from .ranking import average_precision as average_precision
from .ranking import roc_area as roc_area
from .ranking import roc_curve as roc_curve
from .ranking import threshold_sweep as threshold_sweep
from .regression import absolute_error as absolute_error
from .regression import r2 as r2
from .sequence import exact_match as exact_match
from .sequence import sequence_accuracy as sequence_accuracy
