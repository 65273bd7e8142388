"""PyTorch, eager, as it is written by hand: no DataLoader, batches by index_select."""

from functools import partial
from itertools import pairwise

import numpy as np
import torch
from torch.nn import Linear, ModuleList
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss, one_hot

from bench import logistic as logistic_workload
from bench.mlp import Problem
from bench.peers import _torch_attention, _torch_images, _torch_sequences


class MLP:
    compile_s = None

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._images = torch.from_numpy(problem.inputs).to(self._device, torch.float32) / 255
        labels = torch.from_numpy(problem.labels).to(self._device).long()
        squared = problem.loss == "squared"
        self._targets = one_hot(labels, problem.sizes[-1]).to(torch.float32) if squared else labels
        self._layers = ModuleList(Linear(*pair) for pair in pairwise(problem.sizes)).to(self._device)
        # Fused: one call updates all parameters, on the CPU too.
        self._optimizer = torch.optim.SGD(self._layers.parameters(), lr=problem.learning_rate, fused=True)

    def _loss(self, index: torch.Tensor) -> torch.Tensor:
        x = self._images.index_select(0, index)
        *hidden, last = self._layers
        for layer in hidden:
            x = torch.sigmoid(layer(x))
        x, targets = last(x), self._targets.index_select(0, index)
        if self._problem.loss == "squared":
            return mse_loss(torch.sigmoid(x), targets, reduction="sum") / len(index)
        return cross_entropy(x, targets)

    def _follow(self, order: torch.Tensor) -> list[torch.Tensor]:
        losses = []
        for index in order.unbind():
            loss = self._loss(index)
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
            losses.append(loss.detach())
        return losses

    def losses(self, order: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            for layer, (weight, bias) in zip(self._layers, self._problem.weights):
                layer.weight.copy_(torch.from_numpy(weight.T))
                layer.bias.copy_(torch.from_numpy(bias))
        index = torch.from_numpy(order).to(self._device)
        return torch.stack(self._follow(index)).cpu().numpy()

    def epoch(self) -> None:
        order = torch.randperm(len(self._targets), device=self._device)
        self._follow(order.view(-1, self._problem.batch))
        if self._device == "cuda":
            torch.cuda.synchronize()


mlp = MLP


class Logistic:
    """Logistic regression: one Linear, the fused loss and the fused SGD."""

    compile_s = None

    def __init__(self, problem: logistic_workload.Problem) -> None:
        self._problem = problem
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._inputs = torch.from_numpy(problem.inputs).to(self._device)
        self._targets = torch.from_numpy(problem.targets).to(self._device)
        self._layer = Linear(problem.inputs.shape[1], 1).to(self._device)
        self._optimizer = torch.optim.SGD(self._layer.parameters(), lr=problem.learning_rate, fused=True)

    def _follow(self, order: torch.Tensor) -> list[torch.Tensor]:
        losses = []
        for index in order.unbind():
            logits = self._layer(self._inputs.index_select(0, index))[:, 0]
            loss = binary_cross_entropy_with_logits(logits, self._targets.index_select(0, index))
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
            losses.append(loss.detach())
        return losses

    def losses(self, order: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            for parameter in self._layer.parameters():
                parameter.zero_()
        return torch.stack(self._follow(torch.from_numpy(order).to(self._device))).cpu().numpy()

    def epoch(self) -> None:
        order = torch.randperm(len(self._targets), device=self._device)
        self._follow(order.view(-1, self._problem.batch))
        if self._device == "cuda":
            torch.cuda.synchronize()


logistic = Logistic

lenet = partial(_torch_images.training, "lenet", form="channels_first")
resnet20 = partial(_torch_images.training, "resnet20", form="channels_first")
vgg16 = partial(_torch_images.VGG, form="channels_first")
lstm = gru = _torch_sequences.Training
attention = _torch_attention.Attention
