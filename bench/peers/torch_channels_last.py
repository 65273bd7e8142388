"""PyTorch, eager, with images and kernels in the memory format that has the channels last."""

from functools import partial

from bench.peers import _torch_images

lenet = partial(_torch_images.training, "lenet", form="channels_last")
resnet20 = partial(_torch_images.training, "resnet20", form="channels_last")
vgg16 = partial(_torch_images.VGG, form="channels_last")
