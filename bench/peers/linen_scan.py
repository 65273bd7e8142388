"""flax Linen with optax, an epoch inside lax.scan; convolutions are those that XLA makes there."""

from functools import partial

from bench.peers import _linen_images, _linen_sequences

lenet = partial(_linen_images.training, "lenet", scan=True)
resnet20 = partial(_linen_images.training, "resnet20", scan=True)
lstm = gru = partial(_linen_sequences.Training, scan=True)
