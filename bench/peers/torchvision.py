"""torchvision's compiled operators, eager."""

import numpy as np
import torch
import torchvision.ops

from bench import roi as pooling
from bench.nms import Problem


class Suppression:
    compile_s = None

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._cuda = torch.cuda.is_available()
        device = "cuda" if self._cuda else "cpu"
        boxes, scores = (torch.from_numpy(array).to(device) for array in problem.arrays())
        self._images = list(zip(boxes, scores))

    def run(self) -> list[torch.Tensor]:
        threshold = self._problem.threshold
        found = [torchvision.ops.nms(boxes, scores, threshold) for boxes, scores in self._images]
        if self._cuda:
            torch.cuda.synchronize()
        return found

    def chosen(self) -> np.ndarray:
        places = np.full((self._problem.images, self._problem.outputs), -1)
        for row, found in zip(places, self.run()):
            kept = found.cpu().numpy()[: self._problem.outputs]
            row[: len(kept)] = kept
        return places


def nms(problem: Problem) -> Suppression:
    return Suppression(problem)


class Pooling:
    """Channels first, as torchvision takes them."""

    compile_s = None

    def __init__(self, problem: pooling.Problem) -> None:
        self._cuda = torch.cuda.is_available()
        device = "cuda" if self._cuda else "cpu"
        features, boxes, slopes = (torch.from_numpy(array).to(device) for array in problem.arrays())
        self._features = features.movedim(-1, 1).contiguous().requires_grad_()
        self._slopes = slopes.flatten(0, 1).movedim(-1, 1).contiguous()
        self._boxes, self._shape = list(boxes), slopes.shape[:2]
        self._options = {"output_size": pooling.GRID, "spatial_scale": 1 / pooling.STRIDE}
        self._pool = torchvision.ops.roi_pool
        if problem.kind == "align":
            self._pool = torchvision.ops.roi_align
            self._options |= {"sampling_ratio": pooling.SAMPLES, "aligned": True}

    def run(self) -> tuple[torch.Tensor, torch.Tensor]:
        value = self._pool(self._features, self._boxes, **self._options)
        (slope,) = torch.autograd.grad(value, self._features, self._slopes)
        if self._cuda:
            torch.cuda.synchronize()
        return value.detach(), slope

    def results(self) -> tuple[np.ndarray, np.ndarray]:
        value, slope = (found.movedim(1, -1).cpu().numpy() for found in self.run())
        return value.reshape(*self._shape, *value.shape[1:]), slope


def roi(problem: pooling.Problem) -> Pooling:
    return Pooling(problem)
