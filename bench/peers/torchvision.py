"""torchvision's compiled operators, eager."""

import numpy as np
import torch
import torchvision.ops

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
