"""PyTorch's scaled_dot_product_attention, eager, with autograd."""

from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from bench.attention import Problem
from bench.peers._torch_images import DEVICE, synchronize


class Attention:
    """Arrays stay (batch, time, features), as a network has them."""

    compile_s = None

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        dtype, mask = getattr(torch, problem.dtype), problem.mask()
        self._start = torch.from_numpy(problem.arrays()).to(DEVICE, dtype).unbind()
        self._mask, self._causal = None, problem.causal
        if mask is not None:
            seen = np.broadcast_to(mask[:, None, None], (problem.batch, 1, problem.time, problem.time))
            seen = np.tril(seen) if problem.causal else seen.copy()
            self._mask, self._causal = torch.from_numpy(seen).to(DEVICE), False

    def _attend(self, arrays: list[torch.Tensor]) -> torch.Tensor:
        q, k, v = (array.unflatten(-1, (self._problem.heads, -1)).transpose(1, 2) for array in arrays)
        context = F.scaled_dot_product_attention(q, k, v, attn_mask=self._mask, is_causal=self._causal)
        return context.transpose(1, 2)

    def run(self) -> Any:
        arrays, slopes = [array.clone().requires_grad_() for array in self._start], ()
        for _ in range(self._problem.steps):
            context = self._attend(arrays).float()
            slopes = torch.autograd.grad(0.5 * context.square().sum(), arrays)
            with torch.no_grad():
                for array, slope in zip(arrays, slopes):
                    array.sub_(slope, alpha=self._problem.rate)
        synchronize()
        return slopes

    def slopes(self) -> list[np.ndarray]:
        return [slope.float().cpu().numpy() for slope in self.run()]
