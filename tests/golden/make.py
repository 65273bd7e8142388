"""Write the golden files from PyTorch: ``PYTHONPATH=tests python tests/golden/make.py``."""

import itertools
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
START = (2.0, -1.5)
OPTIMIZERS = {
    "sgd": ("SGD", {"lr": 0.05}),
    "heavy_ball": ("SGD", {"lr": 0.02, "momentum": 0.9}),
    "adam": ("Adam", {"lr": 0.1}),
    "adam_betas": ("Adam", {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-3}),
    "adamw": ("AdamW", {"lr": 0.1, "weight_decay": 0.2}),
    "nesterov": ("SGD", {"lr": 0.02, "momentum": 0.9, "nesterov": True}),
    "adagrad": ("Adagrad", {"lr": 0.5, "eps": 1e-7}),
    "adagrad_start": ("Adagrad", {"lr": 0.5, "eps": 1e-2, "initial_accumulator_value": 0.1}),
    "rmsprop": ("RMSprop", {"lr": 0.002, "alpha": 0.9}),
    "rmsprop_eps": ("RMSprop", {"lr": 0.002, "alpha": 0.99, "eps": 1e-2}),
    "coupled_decay": ("SGD", {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.3}),
}
KERAS = {
    "velocity": ("SGD", {"momentum": 0.9}),
    "nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "adam": ("Adam", {"epsilon": 1e-7}),
    "adam_eps": ("Adam", {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-2}),
    "rmsprop_inside": ("RMSprop", {"rho": 0.9, "epsilon": 1e-3}),
}
KERAS_RATES = (0.05, 0.02)  # of the first 50 steps and of the others


def quartic(w: Any) -> Any:
    """Return a small smooth cost of two weights, for any array library."""
    return w[0] ** 4 / 20 + w[1] ** 2 + w[0] * w[1]


def torch_trajectory(torch: Any, name: str) -> np.ndarray:
    """Return 100 steps of a torch optimizer on `quartic`, (100, 2)."""
    kind, options = OPTIMIZERS[name]
    w = torch.tensor(START, requires_grad=True)
    rule, path = getattr(torch.optim, kind)([w], **options), []
    for _ in range(100):
        rule.zero_grad()
        quartic(w).backward()
        rule.step()
        path.append(w.detach().numpy().copy())
    return np.stack(path)


def quartic_gradient(w: Any) -> Any:
    """Return the gradient of `quartic`, worked by hand."""
    return np.array([w[0] ** 3 / 5 + w[1], 2 * w[1] + w[0]], np.float32)


def keras_trajectory(keras: Any, name: str) -> np.ndarray:
    """Return 100 steps of a Keras optimizer on `quartic`, at two rates, (100, 2)."""
    kind, options = KERAS[name]
    w = keras.Variable(np.array(START, np.float32))
    rule, path = getattr(keras.optimizers, kind)(learning_rate=KERAS_RATES[0], **options), []
    rule.build([w])
    for number in range(100):
        rule.learning_rate.assign(KERAS_RATES[number >= 50])
        rule.apply([keras.ops.convert_to_tensor(quartic_gradient(np.asarray(w.value)))])
        path.append(np.array(w.value))
    return np.stack(path)


def twin(torch: Any, op: Any) -> dict[str, np.ndarray]:
    """Return value and gradients of an op's torch twin at the op's sample inputs, in float32."""
    inputs = op.inputs(np.random.default_rng(0))
    weights = np.random.default_rng(1).normal(size=np.shape(op.reference(*inputs)))
    tensors = [torch.tensor(x, dtype=torch.float32 if x.dtype.kind == "f" else None) for x in inputs]
    for position in op.differentiable:
        tensors[position].requires_grad_()
    value = op.torch(torch, *tensors)
    (value * torch.tensor(weights, dtype=torch.float32)).sum().backward()
    found = {f"{op.name}/value": value.detach().numpy()}
    return found | {f"{op.name}/gradient{i}": tensors[i].grad.numpy() for i in op.differentiable}


def torch_mlp(torch: Any) -> dict[str, np.ndarray]:
    """Return weights, outputs and gradients of a torch MLP 6-5-4-3 (ReLU, cross-entropy, batch of 7)."""
    torch.manual_seed(0)
    widths = (6, 5, 4, 3)
    layers = [torch.nn.Linear(a, b) for a, b in itertools.pairwise(widths)]
    x, y = torch.randn(7, 6), torch.randint(0, 3, (7,))
    z = layers[2](torch.relu(layers[1](torch.relu(layers[0](x)))))
    torch.nn.functional.cross_entropy(z, y).backward()
    found = {"x": x.numpy(), "y": y.numpy(), "z": z.detach().numpy()}
    for i, layer in enumerate(layers):
        found |= {f"{i}/kernel": layer.weight.detach().numpy().T, f"{i}/bias": layer.bias.detach().numpy()}
        found |= {f"{i}/d_kernel": layer.weight.grad.numpy().T, f"{i}/d_bias": layer.bias.grad.numpy()}
    return found


def torch_mlp_norm(torch: Any, place: str) -> dict[str, np.ndarray]:
    """Return three training passes of a torch MLP 6-5-4-3 with batch norm, its gradients, and evaluation."""
    torch.manual_seed(1)
    before = place == "before_activation"
    hidden = [torch.nn.Linear(a, b, bias=not before) for a, b in ((6, 5), (5, 4))]
    norms = [torch.nn.BatchNorm1d(width) for width in (5, 4)]
    last = torch.nn.Linear(4, 3)
    for norm in norms:
        torch.nn.init.normal_(norm.weight, 1, 0.3)
        torch.nn.init.normal_(norm.bias, 0, 0.3)

    def forward(a: Any) -> Any:
        for layer, norm in zip(hidden, norms, strict=True):
            z = layer(a)
            a = torch.sigmoid(norm(z)) if before else norm(torch.sigmoid(z))
        return last(a)

    x, y = torch.randn(3, 7, 6) * 2 + 1, torch.randint(0, 3, (7,))
    found = {"x": x.numpy(), "y": y.numpy(), "z": np.stack([forward(batch).detach().numpy() for batch in x])}
    for i, norm in enumerate(norms):
        found |= {f"norms/{i}/mean": norm.running_mean.numpy().copy()}
        found |= {f"norms/{i}/var": norm.running_var.numpy().copy()}
    torch.nn.functional.cross_entropy(forward(x[0]), y).backward()
    for i, (layer, norm) in enumerate(itertools.zip_longest([*hidden, last], norms)):
        parts = {f"layers/{i}/kernel": layer.weight, f"layers/{i}/bias": layer.bias}
        if norm is not None:
            parts |= {f"norms/{i}/scale": norm.weight, f"norms/{i}/bias": norm.bias}
        for name, part in parts.items():
            if part is not None:
                value, slope = part.detach().numpy(), part.grad.numpy()
                kernel = name.endswith("kernel")
                found |= {name: value.T if kernel else value, f"d/{name}": slope.T if kernel else slope}
    for i, norm in enumerate(norms):
        norm.eval()
        norm.running_mean.copy_(torch.tensor(found[f"norms/{i}/mean"]))
        norm.running_var.copy_(torch.tensor(found[f"norms/{i}/var"]))
    found["evaluated"] = forward(x[0]).detach().numpy()
    return {f"{place}/{name}": value for name, value in found.items()}


def torch_dropout(torch: Any) -> dict[str, np.ndarray]:
    """Return share of zeros, mean and variance of torch's dropout of ones, by rate."""
    torch.manual_seed(2)
    rates = np.array([0.1, 0.3, 0.5, 0.8])
    draws = [torch.nn.functional.dropout(torch.ones(400_000), rate).numpy() for rate in rates.tolist()]
    rows = [((draw == 0).mean(), draw.mean(dtype=np.float64), draw.var(dtype=np.float64)) for draw in draws]
    return {"dropout/rates": rates, "dropout/statistics": np.array(rows)}


def torch_norms(torch: Any) -> dict[str, np.ndarray]:
    """Return everything of `mlp_norm.npz`."""
    places = [torch_mlp_norm(torch, place) for place in ("before_activation", "after_activation")]
    return places[0] | places[1] | torch_dropout(torch)


def decay_problem() -> tuple[np.ndarray, ...]:
    """Return inputs (12, 3), targets (12,) and the first kernel (3,) and bias () of a linear model."""
    rng = np.random.default_rng(5)
    return tuple(np.asarray(rng.normal(size=size), np.float32) for size in ((12, 3), (12,), (3,), ()))


def torch_decay(torch: Any) -> dict[str, np.ndarray]:
    """Return kernel and bias after 30 steps of SGD(lr=0.1, weight_decay=0.6/12) on 1/(2m) sum (f - y)^2."""
    found = {}
    for name, of_bias in (("weights", 0.0), ("everything", 0.6 / 12)):
        x, y, w, b = (torch.tensor(a) for a in decay_problem())
        w.requires_grad_()
        b.requires_grad_()
        groups = [{"params": [w], "weight_decay": 0.6 / 12}, {"params": [b], "weight_decay": of_bias}]
        rule = torch.optim.SGD(groups, lr=0.1)
        for _ in range(30):
            rule.zero_grad()
            (torch.nn.functional.mse_loss(x @ w + b, y) / 2).backward()
            rule.step()
        found |= {f"{name}/kernel": w.detach().numpy(), f"{name}/bias": b.detach().numpy()}
    return found


def main() -> None:
    sys.path.insert(0, str(FOLDER.parent))
    os.environ["KERAS_BACKEND"] = "jax"
    import keras
    import opspec
    import torch
    from golden import attention, image_models, lenet, recurrent

    families: dict[str, dict[str, np.ndarray]] = {}
    for op in opspec.OPS:
        if op.torch is not None:
            families.setdefault(op.name.partition(".")[0], {}).update(twin(torch, op))
    for family, arrays in families.items():
        np.savez_compressed(FOLDER / f"ops_{family}.npz", **arrays)
    np.savez_compressed(FOLDER / "optim.npz", **{name: torch_trajectory(torch, name) for name in OPTIMIZERS})
    np.savez_compressed(FOLDER / "decay.npz", **torch_decay(torch))
    np.savez_compressed(FOLDER / "optim_keras.npz", **{name: keras_trajectory(keras, name) for name in KERAS})
    for name in image_models.TWINS:
        np.savez_compressed(FOLDER / f"{name}.npz", **image_models.arrays(torch, name))
    np.savez_compressed(FOLDER / "mlp.npz", **torch_mlp(torch))
    np.savez_compressed(FOLDER / "mlp_norm.npz", **torch_norms(torch))
    np.savez_compressed(FOLDER / "lenet.npz", **lenet.torch_lenet(torch))
    np.savez_compressed(FOLDER / "attention.npz", **attention.torch_heads(torch))
    cases = [recurrent.keras_gru(keras), *(recurrent.arrays(torch, name) for name in recurrent.GOLDEN)]
    np.savez_compressed(FOLDER / "recurrent.npz", **{key: a for case in cases for key, a in case.items()})


if __name__ == "__main__":
    main()
