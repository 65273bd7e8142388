"""LeNet-5 with ReLU and max pooling, trained by Adam: convolutions so small that their form decides."""

import numpy as np

from bench import images
from bench.case import Case
from bench.mlp import make_digits
from jaxdl import optim
from jaxdl.models import LeNet5

NAME = "lenet"
DESCRIPTION = "LeNet-5 (modern), batch 32, Adam on uint8 images of 28 x 28, shuffled every epoch"
PEERS = ("torch", "torch_channels_last", "torch_compile", "linen", "linen_scan", "keras", "numpy")
KERNELS = ((5, 5, 1, 6), (5, 5, 6, 16), (400, 120), (120, 84), (84, 10))
POSITIONS = (28 * 28, 10 * 10, 1, 1, 1)  # of the output
LEARNING_RATE = 1e-3


def make_problem(batch: int = 32, n: int = 2048, dtype: str = "float32", seed: int = 0) -> images.Problem:
    """Images like MNIST's in sparsity; `seed` is that of the kernels."""
    inputs, labels = make_digits(n // batch * batch, np.random.default_rng(0))
    kernels = images.make_kernels(KERNELS, seed)
    return images.Problem(inputs.reshape(-1, 28, 28, 1), labels, kernels, batch, LEARNING_RATE, dtype)


def flop(batch: int) -> float:
    """Arithmetic of a step: forward, and the gradients of kernels and of all inputs but the images."""
    first, *rest = (np.prod(shape) * positions for shape, positions in zip(KERNELS, POSITIONS))
    return float(2 * batch * (2 * first + 3 * sum(rest)))


def ours(problem: images.Problem) -> images.Ours:
    return images.Ours(
        problem, lambda rngs: LeNet5.modern(rngs=rngs), lambda hyper: optim.adam(hyper["learning_rate"])
    )


def make_case(problem: images.Problem, peers: tuple[str, ...]) -> Case:
    return images.make_case(NAME, problem, ours, peers, flop(problem.batch))


def cases(quick: bool) -> list[Case]:
    """One batch size, in each dtype that the device multiplies; NumPy's and Keras's peers are in float32."""
    problems = [make_problem(n=128 if quick else 2048, dtype=dtype) for dtype in images.dtypes()]
    low = tuple(name for name in PEERS if name not in ("numpy", "keras"))
    return [make_case(problem, PEERS if problem.dtype == "float32" else low) for problem in problems]
