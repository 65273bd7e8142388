"""Small torch networks with the layers of AlexNet, VGG and GoogLeNet, and how to read their arrays as ours.

Modules are named as ours, so that a path says where an array belongs; the arrays are stored in our layout:
kernels (height, width, in, out) or (in, out), images (batch, height, width, channels).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _trees, net

FOLDER = Path(__file__).parent
NAMES = {"weight": "kernel", "bias": "bias", "running_mean": "mean", "running_var": "var"}


def alexnet(torch: Any) -> Any:
    """Response norm, groups, overlapping pooling and a dense head, on images of 15 x 15 x 3."""
    nn = torch.nn
    norms = [nn.LocalResponseNorm(5, alpha=5 * 1e-4, beta=0.75, k=2.0) for _ in range(2)]
    features = nn.Sequential(
        nn.Conv2d(3, 6, 5, 2), nn.ReLU(), norms[0], nn.MaxPool2d(3, 2),
        nn.Conv2d(6, 8, 3, padding=1, groups=2), nn.ReLU(), norms[1],
    )  # fmt: skip
    classifier = nn.Sequential(nn.Linear(32, 5), nn.ReLU(), nn.Identity(), nn.Linear(5, 4))
    found = nn.Sequential()
    found.add_module("features", features)
    found.add_module("flatten", nn.Flatten())
    found.add_module("classifier", classifier)
    return found, (2, 3, 15, 15), 60.0


def vgg(torch: Any) -> Any:
    """Batch norm after biased convolutions, and bins that overlap: 9 x 9 images to 4 x 4 to 3 x 3."""
    nn = torch.nn
    features = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
        nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
    )  # fmt: skip
    found = nn.Sequential()
    found.add_module("features", features)
    found.add_module("avgpool", nn.AdaptiveAvgPool2d((3, 3)))
    found.add_module("flatten", nn.Flatten())
    found.add_module("classifier", nn.Sequential(nn.Linear(36, 5), nn.ReLU(), nn.Identity(), nn.Linear(5, 3)))
    return found, (3, 2, 9, 9), 1.0


def inception(torch: Any) -> Any:
    """One Inception block of 6 channels, with batch norm over the batch: rows (3, (2, 4), (2, 5), 2)."""
    nn = torch.nn

    def unit(inputs: int, outputs: int, window: int) -> Any:
        found = nn.Sequential()
        found.add_module("conv", nn.Conv2d(inputs, outputs, window, padding=window // 2, bias=False))
        found.add_module("bn", nn.BatchNorm2d(outputs, eps=1e-3))
        found.add_module("relu", nn.ReLU())
        return found

    class Inception(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.branch1 = unit(6, 3, 1)
            self.branch2 = nn.Sequential(unit(6, 2, 1), unit(2, 4, 3))
            self.branch3 = nn.Sequential(unit(6, 2, 1), unit(2, 5, 5))
            self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), unit(6, 2, 1))

        def forward(self, x: Any) -> Any:
            return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)

    return Inception(), (2, 6, 7, 7), 1.0


TWINS: dict[str, tuple[Callable[[Any], Any], bool]] = {
    "alexnet": (alexnet, False),
    "vgg": (vgg, False),
    "inception": (inception, True),
}


def arrays(torch: Any, name: str) -> dict[str, np.ndarray]:
    """Return images, outputs, parameters, statistics and the gradients of ``sum outputs * weights``."""
    torch.manual_seed(3)
    make, train = TWINS[name]
    model, shape, scale = make(torch)
    model.train(train)
    for path, value in model.state_dict().items():
        if path.endswith("running_var"):
            value.uniform_(0.5, 2)
        elif path.endswith(("running_mean", "bias")):
            value.normal_(0, 0.3)
    before = {path: value.clone() for path, value in model.state_dict().items()}
    x = (torch.randn(shape) * scale).requires_grad_()
    z = model(x)
    weights = torch.randn(z.shape)
    (z * weights).sum().backward()
    slopes = {path: value.grad for path, value in model.named_parameters()}
    found = {"x": x, "d_x": x.grad, "z": z, "weights": weights}
    found = {path: _last(value) for path, value in found.items()}
    after = {path: value for path, value in model.state_dict().items() if "running" in path}
    for kind, values in (("before", before), ("d", slopes), ("after", after)):
        found |= {f"{kind}/{_path(model, path)}": _ours(model, path, value) for path, value in values.items()
                  if "num_batches" not in path}  # fmt: skip
    return found


def _last(value: Any) -> np.ndarray:
    array = value.detach().numpy()
    return np.moveaxis(array, 1, -1) if array.ndim == 4 else array


def _module(model: Any, path: str) -> Any:
    return model.get_submodule(path.rpartition(".")[0])


def _path(model: Any, path: str) -> str:
    head, _, leaf = path.rpartition(".")
    norm = "BatchNorm" in type(_module(model, path)).__name__
    return f"{head}.{'scale' if norm and leaf == 'weight' else NAMES[leaf]}".replace(".", "/")


def _ours(model: Any, path: str, value: Any) -> np.ndarray:
    array = value.detach().numpy()
    if array.ndim == 4:
        return array.transpose(2, 3, 1, 0)
    if path == "classifier.0.weight":
        # Torch flattens (channels, height, width), we (height, width, channels).
        channels = next(m.out_channels for m in reversed(model.features) if hasattr(m, "out_channels"))
        side = round((array.shape[1] / channels) ** 0.5)
        array = array.reshape(-1, channels, side, side).transpose(0, 2, 3, 1).reshape(len(array), -1)
    return array.T


def check(name: str, made: net.Net, *, tolerance: float = 1e-5) -> None:
    """Assert outputs, new statistics and gradients of a network with the weights of a golden file."""
    with np.load(FOLDER / f"{name}.npz") as file:
        golden = dict(file)
    params, state = (_fill(tree, golden, "before") for tree in jax.eval_shape(made.init, jax.random.key(0)))
    train = TWINS[name][1]

    def total(params: Any, x: jax.Array) -> Any:
        z, after = made.apply(params, state, x, train=train, key=jax.random.key(0))
        return jnp.sum(z * golden["weights"]), (z, after)

    step = jax.jit(jax.grad(total, argnums=(0, 1), has_aux=True))
    (d_params, d_x), (z, after) = step(params, jnp.asarray(golden["x"]))
    _close(z, golden["z"], "z", tolerance)
    _close(d_x, golden["d_x"], "d_x", tolerance)
    largest = max(np.abs(golden[f"d/{path}"]).max() for path in _trees.named_leaves(params))
    for path, slope in _trees.named_leaves(d_params).items():
        _close(slope, golden[f"d/{path}"], path, tolerance, scale=1e-2 * largest)
    for path, leaf in _trees.named_leaves(after).items():
        _close(leaf, golden[f"after/{path}"], path, tolerance)


def _close(got: Any, expected: np.ndarray, name: str, tolerance: float, scale: float = 0.0) -> None:
    atol = tolerance * max(float(np.abs(expected).max()), scale)
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=atol, err_msg=name)


def _fill(like: Any, golden: Mapping[str, np.ndarray], kind: str) -> Any:
    leaves = [jnp.asarray(golden[f"{kind}/{path}"]) for path in _trees.named_leaves(like)]
    assert [leaf.shape for leaf in leaves] == [leaf.shape for leaf in jax.tree.leaves(like)]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)
