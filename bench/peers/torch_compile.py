"""PyTorch with torch.compile: the cost of a batch and its gradient are compiled, the optimizer is fused."""

from functools import partial

from bench.peers import _torch_images, _torch_sequences

lenet = partial(_torch_images.training, "lenet", form="compile")
resnet20 = partial(_torch_images.training, "resnet20", form="compile")
lstm = gru = partial(_torch_sequences.Training, compile_it=True)
