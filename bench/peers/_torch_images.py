"""PyTorch on images: LeNet-5, ResNet-20 and VGG-16 as they are written by hand; no DataLoader.

``"channels_first"`` is PyTorch's default, ``"channels_last"`` keeps images and kernels in the other memory
format, and ``"compile"`` gives forward and backward pass to the compiler.
"""

from collections.abc import Callable
from math import isqrt
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from bench import vgg16 as vgg_workload
from bench.images import Problem
from bench.timing import first_call

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cuda":  # as jax does by default: float32 products in TF32, and convolutions chosen by timing
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True


def lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


class Block(nn.Module):
    """Two convolutions with batch norm; the shortcut subsamples and adds channels of zeros."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.extra = stride, outputs - inputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.extra:
            half = self.extra // 2
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, self.extra - half))
        return F.relu(y + x)


def resnet20() -> nn.Module:
    pairs = ((16, 16, 1),) * 3 + ((16, 32, 2),) + ((32, 32, 1),) * 2 + ((32, 64, 2),) + ((64, 64, 1),) * 2
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        *(Block(*pair) for pair in pairs),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip


def vgg(stages: tuple[tuple[int, ...], ...], hidden: tuple[int, ...], side: int, classes: int) -> nn.Module:
    """Without dropout, which is nothing at inference; `side` is that of the last map."""
    layers: list[nn.Module] = []
    inputs = 3
    for stage in stages:
        for outputs in stage:
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True)]
            inputs = outputs
        layers.append(nn.MaxPool2d(2))
    layers.append(nn.Flatten())
    inputs *= side**2
    for outputs in hidden:
        layers += [nn.Linear(inputs, outputs), nn.ReLU(inplace=True)]
        inputs = outputs
    return nn.Sequential(*layers, nn.Linear(inputs, classes))


def fill(module: nn.Module, kernels: tuple[np.ndarray, ...]) -> None:
    """Kernels as flax has them, into the modules in their order; biases become 0, batch norms start anew."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.reset_parameters()
    parts = [part for part in module.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    channels = 0
    with torch.no_grad():
        for part, kernel in zip(parts, kernels, strict=True):
            if kernel.ndim == 2 and channels:  # the first dense layer reads (channels, height, width) here
                side = isqrt(len(kernel) // channels)
                kernel = kernel.reshape(side, side, channels, -1).transpose(2, 0, 1, 3)
                kernel, channels = kernel.reshape(-1, kernel.shape[-1]), 0
            elif kernel.ndim == 4:
                channels = kernel.shape[-1]
            axes = (3, 2, 0, 1) if kernel.ndim == 4 else (1, 0)
            part.weight.copy_(torch.from_numpy(np.ascontiguousarray(kernel.transpose(axes))))
            if part.bias is not None:
                part.bias.zero_()


def synchronize() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()


class Training:
    """Steps of one network in one form."""

    compile_s: float | None = None

    def __init__(
        self,
        problem: Problem,
        make: Callable[[], nn.Module],
        optimizer: Callable[..., torch.optim.Optimizer],
        form: str = "channels_first",
    ) -> None:
        self._problem, self._make_optimizer = problem, optimizer
        self._low = getattr(torch, problem.dtype) if problem.dtype != "float32" else None
        images = torch.from_numpy(problem.inputs).to(DEVICE, torch.float32) / 255
        self._last = form == "channels_last"
        self._images = images if self._last else images.permute(0, 3, 1, 2).contiguous()
        self._labels = torch.from_numpy(problem.labels).to(DEVICE).long()
        layout = torch.channels_last if self._last else torch.contiguous_format
        self._module = make().to(DEVICE, memory_format=layout)
        self._call: Callable[..., torch.Tensor] = (
            torch.compile(self._cost) if form == "compile" else self._cost
        )
        self._reset()
        if form == "compile":
            order = torch.arange(problem.batch, device=DEVICE)[None]
            self.compile_s = first_call(lambda: self._follow(order))

    def _reset(self) -> None:
        fill(self._module, self._problem.kernels)
        self._optimizer = self._make_optimizer(self._module.parameters(), lr=self._problem.learning_rate)

    def _cost(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        with torch.autocast(DEVICE, self._low, enabled=self._low is not None):
            logits = self._module(x)
        return F.cross_entropy(logits.float(), labels)

    def _follow(self, order: torch.Tensor) -> list[torch.Tensor]:
        found = []
        for index in order.unbind():
            x = self._images.index_select(0, index)
            x = x.permute(0, 3, 1, 2) if self._last else x
            loss = self._call(x, self._labels.index_select(0, index))
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
            found.append(loss.detach())
        synchronize()
        return found

    def losses(self, order: np.ndarray) -> np.ndarray:
        self._reset()
        found = self._follow(torch.from_numpy(order).to(DEVICE))
        return torch.stack(found).cpu().numpy()

    def epoch(self) -> None:
        order = torch.randperm(len(self._labels), device=DEVICE)
        self._follow(order.view(-1, self._problem.batch))


def training(name: str, problem: Problem, form: str) -> Training:
    """The peer of the workload `name`; fused optimizers: one call updates all parameters, on the CPU too."""
    if name == "lenet":
        return Training(problem, lenet, _adam, form)
    return Training(problem, resnet20, _momentum, form)


def _adam(parameters: Any, lr: float) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=lr, fused=True)


def _momentum(parameters: Any, lr: float) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=lr, momentum=0.9, fused=True)


class VGG:
    """The forward pass of VGG-16 in inference mode."""

    compile_s = None

    def __init__(self, problem: vgg_workload.Problem, form: str) -> None:
        module = vgg(problem.stages, problem.hidden, problem.last_side, problem.classes)
        fill(module, problem.kernels)
        layout = torch.channels_last if form == "channels_last" else torch.contiguous_format
        dtype = getattr(torch, problem.dtype)
        self._module = module.to(DEVICE, dtype, memory_format=layout).eval()
        x = torch.from_numpy(problem.inputs).permute(0, 3, 1, 2)
        self._x = x.to(DEVICE, dtype).contiguous(memory_format=layout)

    @torch.inference_mode()
    def logits(self) -> np.ndarray:
        return self._module(self._x).float().cpu().numpy()

    @torch.inference_mode()
    def run(self) -> None:
        self._module(self._x)
        synchronize()
