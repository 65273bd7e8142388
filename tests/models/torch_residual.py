"""torch twins of residual networks, with the names of our parts; torch is imported when one is made."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _trees

TORCH = {"kernel": "weight", "scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}


def block(kind: str, inputs: int, width: int, *, stride: int, first: int, projection: bool) -> Any:
    """Return a torch residual block; `first` is the stride of its first convolution."""
    from torch import nn

    sizes = [(3, width), (3, width)] if kind == "basic" else [(1, width), (3, width), (1, 4 * width)]
    strides = [first, stride // first, 1]

    class Block(nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            channels = inputs
            for index, (size, outputs) in enumerate(sizes):
                conv = nn.Conv2d(channels, outputs, size, strides[index], size // 2, bias=False)
                setattr(self, f"conv{index + 1}", conv)
                setattr(self, f"bn{index + 1}", nn.BatchNorm2d(outputs))
                channels = outputs
            shape = (nn.Conv2d(inputs, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))
            self.extra = channels - inputs
            self.downsample = nn.ModuleList(shape if projection else ())

        def forward(self, x: Any) -> Any:
            y = x
            for index in range(1, len(sizes) + 1):
                y = getattr(self, f"bn{index}")(getattr(self, f"conv{index}")(y))
                y = y.relu() if index < len(sizes) else y
            for part in self.downsample:
                x = part(x)
            if not projection:
                pads = (0, 0, 0, 0, self.extra // 2, self.extra - self.extra // 2)
                x = nn.functional.pad(x[:, :, ::stride, ::stride], pads)
            return (y + x).relu()

    return Block()


def network(stem: Any, blocks: list[list[Any]], features: int, classes: int) -> Any:
    """Return a torch residual network; the stem is (conv1, bn1, pool or None)."""
    from torch import nn

    class Network(nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.bn1, self.pool = stem
            self.layers = nn.ModuleList([nn.ModuleList(stage) for stage in blocks])
            self.fc = nn.Linear(features, classes)

        def forward(self, x: Any) -> Any:
            x = self.bn1(self.conv1(x)).relu()
            x = self.pool(x) if self.pool else x
            for part in (part for stage in self.layers for part in stage):
                x = part(x)
            return self.fc(x.mean((2, 3)))

    return Network()


def axes(path: str, leaf: Any) -> Any:
    """Return one of our arrays with the axes of torch's."""
    if path.endswith("kernel"):
        return np.transpose(leaf, (3, 2, 0, 1) if leaf.ndim == 4 else (1, 0))
    return np.asarray(leaf)


def named(tree: Any) -> dict[str, np.ndarray]:
    """Return our arrays by torch's names, with torch's axes."""
    leaves = _trees.named_leaves(tree).items()
    paths = {path: f"{path.rpartition('/')[0]}/{TORCH[path.rpartition('/')[2]]}" for path, _ in leaves}
    return {paths[path].replace("/", "."): axes(path, leaf) for path, leaf in leaves}


def load(twin: Any, params: Any, state: Any) -> None:
    """Copy our parameters and running statistics into a torch twin; nothing may be left over."""
    import torch

    arrays = {name: torch.tensor(array) for name, array in {**named(params), **named(state)}.items()}
    missing, unexpected = twin.load_state_dict(arrays, strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)


def check(net: Any, twin: Any, x: np.ndarray, seed: int = 0) -> None:
    """Compare value, gradients and running statistics in training, and the value in evaluation: 1e-5."""
    import torch

    params, state = jax.tree.map(lambda leaf: scattered(leaf, seed), jax.jit(net.init)(jax.random.key(seed)))
    load(twin, params, state)
    images = torch.tensor(np.moveaxis(x, -1, 1).copy(), requires_grad=True)
    weights = np.random.default_rng(seed).normal(size=jax.eval_shape(
        lambda x: net.apply(params, state, x, train=False)[0], x).shape).astype(np.float32)  # fmt: skip

    @jax.jit
    def both(params: Any, x: Any) -> Any:
        def cost(params: Any, x: Any) -> Any:
            y, after = net.apply(params, state, x, train=True)
            return jnp.sum(y * weights), (y, after)

        still = net.apply(params, state, x, train=False)[0]
        return jax.grad(cost, (0, 1), has_aux=True)(params, x), still

    (gradients, (y, after)), still = both(params, x)
    last = (0, 2, 3, 1) if weights.ndim == 4 else (0, 1)
    close(still, twin.eval()(images).permute(last))
    out = twin.train()(images).permute(last)
    close(y, out)
    (out * torch.tensor(weights)).sum().backward()
    close(np.moveaxis(np.asarray(gradients[1]), -1, 1), images.grad)
    ours = named(gradients[0])
    for name, parameter in twin.named_parameters():
        close(ours[name], parameter.grad)
    for name, statistic in named(after).items():
        close(statistic, twin.state_dict()[name])


def scattered(leaf: jax.Array, seed: int) -> jax.Array:
    """Move norms away from the ones and zeros that they start at; kernels are random already."""
    noise = np.random.default_rng(seed + leaf.size).uniform(0.5, 1.5, leaf.shape).astype(np.float32)
    return leaf if leaf.ndim > 1 else jnp.asarray(noise)


def close(ours: Any, theirs: Any) -> None:
    """Compare to 1e-5 of the largest entry."""
    theirs = theirs.detach().numpy()
    scale = max(float(np.abs(theirs).max()), 1.0)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * scale)
