"""LeNet-5 in torch, in both forms: the twin that `tests/models/test_lenet.py` compares with.

The weights are drawn anew from a seed on either side; only scores, losses and gradients along fixed
directions are stored.
"""

from typing import Any

import numpy as np

CASES = ("modern", "original")
SHAPES = {
    "modern": {
        "0/kernel": (5, 5, 1, 6), "0/bias": (6,), "3/kernel": (5, 5, 6, 16), "3/bias": (16,),
        "7/kernel": (400, 120), "7/bias": (120,), "9/kernel": (120, 84), "9/bias": (84,),
        "11/kernel": (84, 10), "11/bias": (10,),
    },
    "original": {
        "0/kernel": (5, 5, 1, 6), "0/bias": (6,), "2/scale": (6,), "2/bias": (6,),
        "4/kernel": (5, 5, 60), "4/bias": (16,), "6/scale": (16,), "6/bias": (16,),
        "9/kernel": (400, 120), "9/bias": (120,), "11/kernel": (120, 84), "11/bias": (84,),
    },
}  # fmt: skip
# Rows of the published table, one a map of S2: the maps of C3 that see it.
SEEN_BY = (
    (0, 4, 5, 6, 9, 10, 11, 12, 14, 15),
    (0, 1, 5, 6, 7, 10, 11, 12, 13, 15),
    (0, 1, 2, 6, 7, 8, 11, 13, 14, 15),
    (1, 2, 3, 6, 7, 8, 9, 12, 14, 15),
    (2, 3, 4, 7, 8, 9, 10, 12, 13, 15),
    (3, 4, 5, 8, 9, 10, 11, 13, 14, 15),
)
BACKGROUND = {"modern": 0.0, "original": -0.1}


def weights(case: str) -> dict[str, np.ndarray]:
    """Return weights (layer/part) of a size that keeps the units away from saturation."""
    rng = np.random.default_rng(7)
    found = {}
    for name, shape in SHAPES[case].items():
        size = {1: 0.5, 2: shape[0] ** -0.5}.get(len(shape), 0.15)
        found[name] = (size * rng.normal(size=shape)).astype(np.float32)
    return found


def examples() -> tuple[np.ndarray, np.ndarray]:
    """Return images (4, 28, 28, 1) and labels (4,)."""
    rng = np.random.default_rng(8)
    return rng.normal(size=(4, 28, 28, 1)).astype(np.float32), np.array([3, 0, 9, 3], np.int32)


def directions(shape: tuple[int, ...]) -> np.ndarray:
    """Return four fixed directions (4, ...) along which a gradient is measured."""
    return np.random.default_rng(9).normal(size=(4, *shape)) / np.sqrt(np.prod(shape))


def codes() -> np.ndarray:
    """Return the codes of the classes, which are fixed."""
    from jaxdl.models._digit_codes import digit_codes

    return digit_codes()


def torch_lenet(torch: Any) -> dict[str, np.ndarray]:
    """Return everything of `lenet.npz`."""
    found = {}
    for case in CASES:
        w = {name: torch.tensor(value, requires_grad=True) for name, value in weights(case).items()}
        images, labels = (torch.tensor(part) for part in examples())
        x = torch.nn.functional.pad(images.permute(0, 3, 1, 2), (2, 2, 2, 2), value=BACKGROUND[case])
        scores = (_modern if case == "modern" else _original)(torch, w, x)
        costs = torch.nn.functional.cross_entropy(scores, labels.long(), reduction="none")
        if case == "original":
            level = torch.full((4, 1), -1.0)
            own = -scores.gather(1, labels.long()[:, None])[:, 0]
            costs = own + torch.logsumexp(torch.cat([scores, level], 1), 1)
        costs.mean().backward()
        found |= {f"{case}/scores": scores.detach().numpy(), f"{case}/costs": costs.detach().numpy()}
        for name, leaf in w.items():
            slope = leaf.grad.numpy().astype(np.float64)
            along = np.tensordot(directions(slope.shape), slope, slope.ndim)
            found[f"{case}/slopes/{name}"] = np.append(along, np.linalg.norm(slope))
    return found


def _modern(torch: Any, w: dict[str, Any], x: Any) -> Any:
    f = torch.nn.functional
    x = f.max_pool2d(torch.relu(f.conv2d(x, w["0/kernel"].permute(3, 2, 0, 1), w["0/bias"])), 2)
    x = f.max_pool2d(torch.relu(f.conv2d(x, w["3/kernel"].permute(3, 2, 0, 1), w["3/bias"])), 2)
    x = x.permute(0, 2, 3, 1).flatten(1)
    x = torch.relu(x @ w["7/kernel"] + w["7/bias"])
    x = torch.relu(x @ w["9/kernel"] + w["9/bias"])
    return x @ w["11/kernel"] + w["11/bias"]


def _original(torch: Any, w: dict[str, Any], x: Any) -> Any:
    f = torch.nn.functional

    def squash(a: Any) -> Any:
        return 1.7159 * torch.tanh(2 * a / 3)

    def sample(a: Any, part: str) -> Any:
        scale, bias = (w[f"{part}/{name}"].reshape(1, -1, 1, 1) for name in ("scale", "bias"))
        return squash(4 * f.avg_pool2d(a, 2) * scale + bias)

    x = sample(squash(f.conv2d(x, w["0/kernel"].permute(3, 2, 0, 1), w["0/bias"])), "2")
    # One map of C3 after another, each from the maps that it sees.
    maps, first = [], 0
    for output in range(16):
        inputs = [i for i in range(6) if output in SEEN_BY[i]]
        window = w["4/kernel"][:, :, first : first + len(inputs)].permute(2, 0, 1)[None]
        maps.append(f.conv2d(x[:, inputs], window, w["4/bias"][output : output + 1]))
        first += len(inputs)
    x = sample(squash(torch.cat(maps, 1)), "6").permute(0, 2, 3, 1).flatten(1)
    x = squash(x @ w["9/kernel"] + w["9/bias"])
    x = squash(x @ w["11/kernel"] + w["11/bias"])
    return -(x[:, None] - torch.tensor(codes())[None]).square().sum(-1)
