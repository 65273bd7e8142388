"""Single convolutions by formulation; `python -m bench.conv_table` prints the GFLOP/s of all of them.

A layer runs in three places, since XLA's own convolution is another thing in each: one `jax.jit` call a step
(``call``), inside `lax.scan` (``scan``), and there vmapped over members with a kernel each (``members``). A
step is the forward pass alone (``forward``) or with the gradients and an update of the kernel (``train``),
so that nothing can be moved out of the loop. What the first layer of a network is has no input gradient, and
takes a new batch in every step; members share it.
"""

import dataclasses
import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bench import timing
from bench.case import Case, Contender
from jaxdl.kernels.conv import IMPLEMENTATIONS, conv_general_dilated

NAME = "conv"
DESCRIPTION = "four convolutions trained in a scan: the rule's choice against each formulation"
PEERS = IMPLEMENTATIONS
PLACES = ("call", "scan", "members")
PASSES = ("forward", "train")
MEMBERS = 8
NUMBERS = {1: ("NWC", "WIO", "NWC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NDHWC", "DHWIO", "NDHWC")}
# A scan has steps for so much arithmetic, within limits: a loop of one step would be no loop.
SCAN_FLOP, SCAN_STEPS = 2e9, (2, 16)


@dataclasses.dataclass(frozen=True)
class Shape:
    """One layer: inputs (batch, *space, inputs), kernel (*window, inputs / groups, outputs)."""

    name: str
    batch: int
    space: tuple[int, ...]
    inputs: int
    outputs: int
    window: tuple[int, ...]
    strides: int = 1
    padding: str | int = "SAME"
    groups: int = 1
    first: bool = False  # of its network: no input gradient
    places: tuple[str, ...] = PLACES

    @property
    def x_shape(self) -> tuple[int, ...]:
        return self.batch, *self.space, self.inputs

    @property
    def kernel_shape(self) -> tuple[int, ...]:
        return *self.window, self.inputs // self.groups, self.outputs

    def convolve(self, x: jax.Array, kernel: jax.Array, implementation: str | None) -> jax.Array:
        rank, pad = len(self.space), self.padding
        return conv_general_dilated(
            x,
            kernel,
            (self.strides,) * rank,
            pad if isinstance(pad, str) else ((pad, pad),) * rank,
            dimension_numbers=NUMBERS[rank],
            feature_group_count=self.groups,
            implementation=implementation,
        )

    def flop(self, passes: str) -> float:
        """Arithmetic of a step, zeros of the padding included: a gradient is as much as the forward pass."""
        arguments = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in (self.x_shape, self.kernel_shape))
        y = jax.eval_shape(partial(self.convolve, implementation="xla"), *arguments)
        times = {"forward": 1, "train": 2 if self.first else 3}[passes]
        return 2.0 * times * math.prod(y.shape) * math.prod(self.kernel_shape[:-1])


SHAPES = (
    Shape("LeNet 1: 5x5, 28x28, 1 to 6", 32, (28, 28), 1, 6, (5, 5), first=True),
    Shape("LeNet 2: 5x5, 14x14, 6 to 16", 32, (14, 14), 6, 16, (5, 5), padding="VALID"),
    Shape("3x3, 32x32, 3 to 16", 32, (32, 32), 3, 16, (3, 3), first=True),
    Shape("3x3, 32x32, 16 to 16", 32, (32, 32), 16, 16, (3, 3)),
    Shape("3x3, 16x16, 32 to 32", 32, (16, 16), 32, 32, (3, 3)),
    Shape("3x3, 8x8, 64 to 64", 32, (8, 8), 64, 64, (3, 3)),
    Shape("3x3, 32x32, 64 to 64", 16, (32, 32), 64, 64, (3, 3)),
    Shape("3x3 by 2, 32x32, 16 to 32", 32, (32, 32), 16, 32, (3, 3), strides=2),
    Shape("1x1, 16x16, 64 to 64", 32, (16, 16), 64, 64, (1, 1)),
    Shape("1x1, 14x14, 256 to 64", 32, (14, 14), 256, 64, (1, 1)),
    Shape("1x1 by 2, 32x32, 16 to 32", 32, (32, 32), 16, 32, (1, 1), strides=2),
    Shape("1D: 5, 128, 9 to 64", 32, (128,), 9, 64, (5,), first=True),
    Shape("1D: 5, 128, 64 to 64", 32, (128,), 64, 64, (5,)),
    Shape("3D: 3x3x3, 16x16x16, 1 to 8", 8, (16,) * 3, 1, 8, (3,) * 3, first=True),
    Shape("3D: 3x3x3, 16x16x16, 8 to 16", 8, (16,) * 3, 8, 16, (3,) * 3),
    Shape("depthwise: 3x3, 16x16, 64", 32, (16, 16), 64, 64, (3, 3), groups=64),
    Shape("groups of 4: 3x3, 16x16, 64 to 64", 32, (16, 16), 64, 64, (3, 3), groups=4),
    Shape(
        "AlexNet 1: 11x11 by 4, 224x224, 3 to 64",
        4, (224, 224), 3, 64, (11, 11), strides=4, padding=2, first=True, places=PLACES[:2],
    ),
    Shape(
        "ResNet 1: 7x7 by 2, 224x224, 3 to 64",
        4, (224, 224), 3, 64, (7, 7), strides=2, padding=3, first=True, places=PLACES[:2],
    ),
    *(
        Shape(f"VGG {name}: 3x3, {side}x{side}, {inputs} to {outputs}",
              4, (side, side), inputs, outputs, (3, 3), first=inputs == 3, places=PLACES[:1])
        for name, side, inputs, outputs in (
            ("1.1", 224, 3, 64), ("1.2", 224, 64, 64), ("2.2", 112, 128, 128), ("3.2", 56, 256, 256),
            ("4.2", 28, 512, 512), ("5.2", 14, 512, 512),
        )
    ),
)  # fmt: skip
# What `python -m bench conv` holds the rule to, trained in a scan.
TIMED = tuple(SHAPES[i] for i in (0, 1, 4, 8))


class Work(NamedTuple):
    """One layer in one place: a program of some steps and what it is called with."""

    function: Callable[..., Any]
    arguments: tuple[jax.Array, ...]


def steps(shape: Shape, place: str, passes: str) -> int:
    """Steps a program has: one a call, more in a scan."""
    low, high = SCAN_STEPS
    wanted = int(SCAN_FLOP // (shape.flop(passes) * members(place)))
    return 1 if place == "call" else min(max(wanted, low), high)


def members(place: str) -> int:
    """Kernels that are trained side by side."""
    return MEMBERS if place == "members" else 1


def _step(shape: Shape, passes: str, implementation: str | None) -> Callable[..., tuple[jax.Array, Any]]:
    """(kernel, x) -> (changed kernel, outputs or gradients): the loss is half the square of the output."""
    convolve = partial(shape.convolve, implementation=implementation)
    rate = 1e-3 * shape.strides ** len(shape.space) / math.prod((shape.batch, *shape.space))

    def forward(kernel: jax.Array, x: jax.Array) -> tuple[jax.Array, Any]:
        y = convolve(x, kernel)
        # One element, which binds the next step to this one and costs nothing.
        return kernel + jnp.asarray(1e-12, y.dtype) * y.ravel()[0], (y,)

    def train(kernel: jax.Array, x: jax.Array) -> tuple[jax.Array, Any]:
        if shape.first:
            y, back = jax.vjp(partial(convolve, x), kernel)
        else:
            y, back = jax.vjp(lambda kernel, x: convolve(x, kernel), kernel, x)
        gradients = back(y)
        return kernel - jnp.asarray(rate, kernel.dtype) * gradients[0], gradients

    return {"forward": forward, "train": train}[passes]


def _looped(shape: Shape, passes: str, implementation: str | None, count: int) -> Callable[..., Any]:
    step = _step(shape, passes, implementation)

    def fed(kernel: jax.Array, xs: jax.Array) -> Any:
        like = jax.eval_shape(step, kernel, xs[0])
        carry = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), like)
        carry = (kernel, carry[1])
        return jax.lax.scan(lambda carry, x: (step(carry[0], x), None), carry, xs)[0]

    def carried(kernel: jax.Array, x: jax.Array) -> Any:
        def one(carry: tuple[jax.Array, ...], _: None) -> tuple[tuple[jax.Array, ...], None]:
            kernel, x, _ = carry
            kernel, (slope, x_slope) = step(kernel, x)
            return (kernel, x - jnp.asarray(1e-3, x.dtype) * x_slope, slope), None

        return jax.lax.scan(one, (kernel, x, kernel), None, count)[0]

    return fed if _fed(shape, passes) else carried


def _fed(shape: Shape, passes: str) -> bool:
    """Whether a loop reads a new batch in every step, instead of changing its own."""
    return passes == "forward" or shape.first


def work(shape: Shape, place: str, passes: str, implementation: str | None, dtype: Any = jnp.float32) -> Work:
    """The program of a layer in a place, with arrays that a seed gives."""
    count, rng = steps(shape, place, passes), np.random.default_rng(0)
    looped, shared = place != "call", place != "members" or shape.first
    several = (members(place),) if place == "members" else ()
    x_shape = (() if shared else several) + (count,) * (looped and _fed(shape, passes)) + shape.x_shape
    kernel = rng.standard_normal(several + shape.kernel_shape, np.float32)
    kernel /= math.sqrt(math.prod(shape.kernel_shape[:-1]))
    function = (
        _looped(shape, passes, implementation, count) if looped else _step(shape, passes, implementation)
    )
    if several:
        function = jax.vmap(function, in_axes=(0, None if shared else 0))
    x = rng.standard_normal(x_shape, np.float32)
    return Work(function, (jnp.asarray(kernel, dtype), jnp.asarray(x, dtype)))


def comparable(results: Any) -> np.ndarray:
    """Up to 4,096 entries of each array and its root mean square, for a relative comparison."""
    found: list[Any] = []
    for array in jax.tree.leaves(results):
        flat = np.asarray(array).astype(np.float64).ravel()
        size = np.sqrt(np.mean(flat**2))
        found += [[size], 10 + flat[:: len(flat) // 4096 + 1] / size]
    return np.concatenate(found)


def contender(
    shape: Shape, place: str, passes: str, implementation: str | None, dtype: Any = jnp.float32
) -> Contender:
    """The layer in its place, compiled."""
    function, arguments = work(shape, place, passes, implementation, dtype)
    run, compile_s = timing.compiled(jax.jit(function), *arguments)
    return Contender(
        run=lambda: jax.block_until_ready(run(*arguments)),
        check=lambda: comparable(run(*arguments)),
        compile_s=compile_s,
    )


def tolerance(dtype: Any = jnp.float32) -> float:
    """Relative, of what `comparable` gives; an accelerator multiplies float32 with the mantissa of TF32."""
    if dtype != jnp.float32:
        return 3e-2
    return 1e-4 if jax.default_backend() == "cpu" else 3e-3


def make_case(shape: Shape, place: str, passes: str) -> Case:
    """The rule's choice against each formulation."""
    makers = {name: partial(contender, shape, place, passes, name) for name in IMPLEMENTATIONS}
    return Case(
        label=f"{shape.name}, {place}, {passes}",
        ours=partial(contender, shape, place, passes, None),
        peers=makers,
        units=steps(shape, place, passes),
        flop=shape.flop(passes) * members(place),
        tolerance=tolerance(),
        most_repeats=7,
    )


def cases(quick: bool) -> list[Case]:
    """Four layers trained in a scan; the trial run takes one."""
    return [make_case(shape, "scan", "train") for shape in (TIMED[:1] if quick else TIMED)]
