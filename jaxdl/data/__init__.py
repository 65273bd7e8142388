"""Data on the host: loaders, splits, and `Dataset`, which checks examples and targets once.

Everything here is NumPy, but for `augment`, which works on the device. Files are taken for hostile: sizes are
capped, digests are checked before anything is parsed, and nothing is unpickled or unpacked.
The loaders are NumPy; `people`, `scenes`, `volumes` and `waveforms`, which draw examples of their own, are
keyed and compiled.
Files are taken for hostile: sizes are capped, digests are checked before anything is parsed, and nothing is
unpickled or unpacked.

>>> train, test = split(load_iris(), (0.8, 0.2), seed=1)
>>> train
Dataset(120 examples, inputs float32 (4,), 3 classes)
"""

from jaxdl.data import augment as augment
from jaxdl.data._validate import check_finite as check_finite
from jaxdl.data._validate import check_labels as check_labels
from jaxdl.data.builtin import load_breast_cancer as load_breast_cancer
from jaxdl.data.builtin import load_diabetes as load_diabetes
from jaxdl.data.builtin import load_digits as load_digits
from jaxdl.data.builtin import load_iris as load_iris
from jaxdl.data.builtin import load_wine as load_wine
from jaxdl.data.cifar import load_cifar as load_cifar
from jaxdl.data.coco import load_coco as load_coco
from jaxdl.data.compose import compose_scene as compose_scene
from jaxdl.data.dataset import Dataset as Dataset
from jaxdl.data.dates import dates as dates
from jaxdl.data.download import cache_folder as cache_folder
from jaxdl.data.download import fetch as fetch
from jaxdl.data.drawings import Drawings as Drawings
from jaxdl.data.folder import load_folder as load_folder
from jaxdl.data.folder import load_people as load_people
from jaxdl.data.folds import Folds as Folds
from jaxdl.data.folds import folds as folds
from jaxdl.data.framing import frame_ink as frame_ink
from jaxdl.data.idx import parse_idx as parse_idx
from jaxdl.data.mnist import load_fashion_mnist as load_fashion_mnist
from jaxdl.data.mnist import load_mnist as load_mnist
from jaxdl.data.object_images import ObjectImages as ObjectImages
from jaxdl.data.omniglot import load_omniglot as load_omniglot
from jaxdl.data.one_hot import one_hot as one_hot
from jaxdl.data.people import people as people
from jaxdl.data.scene_config import SceneConfig as SceneConfig
from jaxdl.data.scene_digits import SceneDigits as SceneDigits
from jaxdl.data.scene_digits import load_scene_digits as load_scene_digits
from jaxdl.data.scene_digits import scene_digits as scene_digits
from jaxdl.data.scenes import scene_batches as scene_batches
from jaxdl.data.scenes import scenes as scenes
from jaxdl.data.sequence_tasks import BRACKETS as BRACKETS
from jaxdl.data.sequence_tasks import adding as adding
from jaxdl.data.sequence_tasks import brackets as brackets
from jaxdl.data.sequence_tasks import copying as copying
from jaxdl.data.sequences import pad as pad
from jaxdl.data.sequences import windows as windows
from jaxdl.data.split import split as split
from jaxdl.data.split_classes import split_classes as split_classes
from jaxdl.data.tables import load_csv as load_csv
from jaxdl.data.text import load_lines as load_lines
from jaxdl.data.text import load_names as load_names
from jaxdl.data.text import load_text as load_text
from jaxdl.data.voc import load_voc as load_voc
from jaxdl.data.vocabulary import END as END
from jaxdl.data.vocabulary import PADDING as PADDING
from jaxdl.data.vocabulary import START as START
from jaxdl.data.vocabulary import UNKNOWN as UNKNOWN
from jaxdl.data.vocabulary import Vocabulary as Vocabulary
from jaxdl.data.volumes import volumes as volumes
from jaxdl.data.waveforms import WAVEFORMS as WAVEFORMS
from jaxdl.data.waveforms import waveforms as waveforms
