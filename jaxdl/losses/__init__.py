"""Losses. Each returns one value per example; `reduce` turns these into the scalar to be differentiated."""

from ._heads import WithAuxiliary as WithAuxiliary
from .auxiliary import auxiliary_cross_entropy as auxiliary_cross_entropy
from .binary import binary_cross_entropy as binary_cross_entropy
from .binary import multi_label_cross_entropy as multi_label_cross_entropy
from .classification import softmax_cross_entropy as softmax_cross_entropy
from .codes import maximum_a_posteriori as maximum_a_posteriori
from .localisation import localisation as localisation
from .penalties import FORMS as FORMS
from .penalties import is_weight as is_weight
from .penalties import l1_penalty as l1_penalty
from .penalties import l2_penalty as l2_penalty
from .penalties import proximal_l1 as proximal_l1
from .penalties import soft_threshold as soft_threshold
from .reduction import REDUCTIONS as REDUCTIONS
from .reduction import reduce as reduce
from .regression import huber as huber
from .regression import non_negative_squared_error as non_negative_squared_error
from .regression import smooth_l1 as smooth_l1
from .regression import squared_error as squared_error
from .sequence import sequence_binary_cross_entropy as sequence_binary_cross_entropy
from .sequence import sequence_cross_entropy as sequence_cross_entropy
from .similarity import DISTANCES as DISTANCES
from .similarity import contrastive as contrastive
from .similarity import distance as distance
from .similarity import triplet as triplet
