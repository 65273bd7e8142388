"""flax Linen with optax, an epoch inside lax.scan, with the convolutions that XLA makes there."""

from functools import partial

from bench.peers import _linen_images

lenet = partial(_linen_images.training, "lenet", scan=True)
resnet20 = partial(_linen_images.training, "resnet20", scan=True)
