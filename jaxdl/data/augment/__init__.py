"""Augmentation on the device: pure functions ``(key, images) -> images``, made by factories.

Each draws for every image of a batch by itself, from one key, and is compiled into the step of the trainer
by ``train.fit(augment=...)``, which calls it on the batch after the scaling. Images are floating arrays
(batch, height, width, channels), or (batch, height, width) where nothing is said of channels. For one image
at a time, ``jax.vmap(lambda key, image: augment(key, image[None])[0])(keys, images)``. A range is a pair
(lowest, highest), drawn from uniformly; the range of which nothing comes gives the images back as they are.
"""

from ._entry import Augment as Augment
from .affine import affine as affine
from .affine import rotation as rotation
from .affine import scale as scale
from .affine import shear as shear
from .affine import subpixel_shift as subpixel_shift
from .boxed import flip_with_boxes as flip_with_boxes
from .boxed import zoom_with_boxes as zoom_with_boxes
from .colour import colour_distortion as colour_distortion
from .colour import pca_noise as pca_noise
from .composition import compose as compose
from .composition import maybe as maybe
from .crop import random_crop as random_crop
from .crop import random_resized_crop as random_resized_crop
from .crop import shift as shift
from .elastic import elastic as elastic
from .erasing import cutout as cutout
from .erasing import random_erasing as random_erasing
from .flip import horizontal_flip as horizontal_flip
from .flip import vertical_flip as vertical_flip
from .mixing import cutmix as cutmix
from .mixing import mixup as mixup
from .noise import gaussian_noise as gaussian_noise
from .synthesis import on_backgrounds as on_backgrounds
