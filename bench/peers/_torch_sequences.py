"""PyTorch's nn.LSTM and nn.GRU with a Linear head, eager or given to the compiler; cuDNN's on a GPU."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from bench.peers._torch_images import DEVICE, synchronize
from bench.sequences import CLASSES, Problem
from bench.timing import first_call


class Network(nn.Module):
    def __init__(self, problem: Problem) -> None:
        super().__init__()
        make = {"lstm": nn.LSTM, "gru": nn.GRU}[problem.cell]
        self.layer = make(problem.size.inputs, problem.size.features, batch_first=True)
        self.head = nn.Linear(problem.size.features, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layer(x)[0][:, -1])


class Unrolled(nn.Module):
    """Step by step, for the compiler, which breaks its graph at an nn.LSTM or nn.GRU."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        whole = Network(problem)
        self.layer, self.head = nn.ParameterDict(dict(whole.layer.named_parameters())), whole.head
        self._features = problem.size.features
        self._step = {"lstm": self._lstm, "gru": self._gru}[problem.cell]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        layer, step = self.layer, self._step
        h = c = x.new_zeros(len(x), self._features)
        for z in F.linear(x, layer.weight_ih_l0, layer.bias_ih_l0).unbind(1):
            h, c = step(z, F.linear(h, layer.weight_hh_l0, layer.bias_hh_l0), h, c)
        return self.head(h)

    def _lstm(self, z: torch.Tensor, inner: torch.Tensor, h: torch.Tensor, c: torch.Tensor) -> Any:
        i, f, g, o = (z + inner).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c

    def _gru(self, z: torch.Tensor, inner: torch.Tensor, h: torch.Tensor, c: torch.Tensor) -> Any:
        (r, u, n), (inner_r, inner_u, inner_n) = z.chunk(3, 1), inner.chunk(3, 1)
        n = (n + (r + inner_r).sigmoid() * inner_n).tanh()
        return n + (u + inner_u).sigmoid() * (h - n), c


class Training:
    """One call a step. Of its two biases, one stays where it is but for the GRU's candidate."""

    compile_s: float | None = None

    def __init__(self, problem: Problem, compile_it: bool = False) -> None:
        self._problem = problem
        self._inputs = torch.from_numpy(problem.inputs).to(DEVICE)
        self._labels = torch.from_numpy(problem.labels).to(DEVICE).long()
        self._network = (Unrolled if compile_it else Network)(problem).to(DEVICE)
        self._free = torch.zeros_like(self._network.layer.bias_hh_l0)
        if problem.cell == "gru":
            self._free[-problem.size.features :] = 1
        # Fused: one call updates all parameters, on the CPU too.
        self._optimizer = torch.optim.SGD(self._network.parameters(), lr=problem.learning_rate, fused=True)
        self._call = torch.compile(self._cost) if compile_it else self._cost
        self._reset()
        if compile_it:
            order = torch.arange(problem.batch, device=DEVICE)[None]
            self.compile_s = first_call(lambda: self._follow(order))

    def _parts(self, weights: Mapping[str, np.ndarray]) -> list[tuple[torch.Tensor, np.ndarray]]:
        layer, head = self._network.layer, self._network.head
        second = np.zeros(self._free.shape, np.float32)
        if "recurrent_bias" in weights:
            second[-self._problem.size.features :] = weights["recurrent_bias"]
        return [
            (layer.weight_ih_l0, weights["input"].T),
            (layer.weight_hh_l0, weights["recurrent"].T),
            (layer.bias_ih_l0, weights["bias"]),
            (layer.bias_hh_l0, second),
            (head.weight, weights["head"].T),
            (head.bias, weights["head_bias"]),
        ]

    @torch.no_grad()
    def _reset(self) -> None:
        for parameter, value in self._parts(self._problem.weights):
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(value)))

    def _cost(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(self._network(x), labels)

    def _follow(self, order: torch.Tensor) -> list[torch.Tensor]:
        found, second = [], self._network.layer.bias_hh_l0
        for index in order.unbind():
            loss = self._call(self._inputs.index_select(0, index), self._labels.index_select(0, index))
            self._optimizer.zero_grad()
            loss.backward()
            second.grad.mul_(self._free)
            self._optimizer.step()
            found.append(loss.detach())
        synchronize()
        return found

    def losses(self, order: np.ndarray) -> np.ndarray:
        self._reset()
        return torch.stack(self._follow(torch.from_numpy(order).to(DEVICE))).cpu().numpy()

    def weights(self) -> dict[str, np.ndarray]:
        layer, head = self._network.layer, self._network.head
        found = {
            "input": layer.weight_ih_l0.T,
            "recurrent": layer.weight_hh_l0.T,
            "bias": layer.bias_ih_l0,
            "recurrent_bias": layer.bias_hh_l0[-self._problem.size.features :],
            "head": head.weight.T,
            "head_bias": head.bias,
        }
        return {name: found[name].detach().cpu().numpy() for name in self._problem.weights}

    def epoch(self) -> None:
        order = torch.randperm(len(self._labels), device=DEVICE)
        self._follow(order.view(-1, self._problem.batch))
