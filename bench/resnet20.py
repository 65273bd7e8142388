"""CIFAR ResNet-20 with batch norm, trained with momentum: eight in ten operations are 3 x 3 convolutions."""

import jax
import numpy as np

from bench import images
from bench.case import Case
from jaxdl import optim
from jaxdl.models import CifarResNet

NAME = "resnet20"
DESCRIPTION = "CIFAR ResNet-20 with batch norm, batch 32, momentum on uint8 images of 32 x 32 x 3"
PEERS = ("torch", "torch_channels_last", "torch_compile", "linen", "linen_scan")
SLOW = ("linen_scan",)  # XLA's convolutions inside a loop take seconds a step on a CPU
WIDTHS, BLOCKS, SIDE = (16, 32, 64), 3, 32
LEARNING_RATE = 0.01


def layers() -> list[tuple[tuple[int, ...], int]]:
    """Shape of each kernel, and positions of its output."""
    found, inputs = [((3, 3, 3, WIDTHS[0]), SIDE**2)], WIDTHS[0]
    for stage, width in enumerate(WIDTHS):
        for _ in range(BLOCKS):
            positions = (SIDE >> stage) ** 2
            found += [((3, 3, inputs, width), positions), ((3, 3, width, width), positions)]
            inputs = width
    return [*found, ((inputs, 10), 1)]


def flop(batch: int) -> float:
    """Arithmetic of a step: forward, and the gradients of kernels and of all inputs but the images."""
    first, *rest = (np.prod(shape) * positions for shape, positions in layers())
    return float(2 * batch * (2 * first + 3 * sum(rest)))


def make_problem(batch: int = 32, n: int = 128, dtype: str = "float32") -> images.Problem:
    """Ten soft coloured patterns under noise, in the size and type of CIFAR's images."""
    rng = np.random.default_rng(0)
    n = n // batch * batch
    labels = rng.integers(0, 10, n, dtype=np.int32)
    patterns = np.kron(rng.uniform(0, 255, (10, 4, 4, 3)), np.ones((1, SIDE // 4, SIDE // 4, 1)))
    pixels = patterns[labels] + rng.normal(0, 40, (n, SIDE, SIDE, 3))
    kernels = images.make_kernels(shape for shape, _ in layers())
    inputs = np.clip(pixels, 0, 255).astype(np.uint8)
    return images.Problem(inputs, labels, kernels, batch, LEARNING_RATE, dtype)


def ours(problem: images.Problem) -> images.Ours:
    return images.Ours(
        problem,
        lambda rngs: CifarResNet.resnet20(rngs=rngs),
        lambda hyper: optim.momentum(hyper["learning_rate"], beta=0.9),
    )


def make_case(problem: images.Problem, peers: tuple[str, ...], most_repeats: int | None = None) -> Case:
    return images.make_case(NAME, problem, ours, peers, flop(problem.batch), most_repeats)


def cases(quick: bool) -> list[Case]:
    """In each dtype that the device multiplies; the slow peer in few rounds of its own.

    torch.compile is for accelerators: for a CPU it takes minutes to compile.
    """
    left_out = (*SLOW, "torch_compile") if jax.default_backend() == "cpu" else SLOW
    fast = tuple(name for name in PEERS if name not in left_out)
    found = []
    for dtype in images.dtypes():
        problems = make_problem(n=64 if quick else 128, dtype=dtype), make_problem(n=64, dtype=dtype)
        found += [make_case(problems[0], fast, most_repeats=9), make_case(problems[1], SLOW, most_repeats=3)]
    return found
