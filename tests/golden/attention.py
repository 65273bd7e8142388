"""Attention of several heads as PyTorch has it, for `attention.npz`."""

from typing import Any

import numpy as np


def torch_heads(torch: Any) -> dict[str, np.ndarray]:
    """Return parameters, outputs and gradients of torch's attention of 2 heads over padded steps."""
    torch.manual_seed(0)
    layer = torch.nn.MultiheadAttention(8, 2, kdim=6, vdim=5, batch_first=True)
    torch.nn.init.normal_(layer.in_proj_bias)
    torch.nn.init.normal_(layer.out_proj.bias)
    inputs = [torch.randn(3, *shape, requires_grad=True) for shape in ((4, 8), (5, 6), (5, 5))]
    mask = np.arange(5) < np.array([[5], [3], [1]])
    context, weights = layer(*inputs, key_padding_mask=torch.tensor(~mask), average_attn_weights=False)
    context.sin().sum().backward()
    names = {"query": layer.q_proj_weight, "key": layer.k_proj_weight, "value": layer.v_proj_weight}
    found = {"mask": mask, "context": context.detach().numpy(), "weights": weights.detach().numpy()}
    for part, (name, kernel) in enumerate(names.items()):
        share = slice(8 * part, 8 * part + 8)
        found |= {f"{name}/kernel": kernel.detach().numpy().T, f"d/{name}/kernel": kernel.grad.numpy().T}
        found |= {f"{name}/bias": layer.in_proj_bias.detach().numpy()[share],
                  f"d/{name}/bias": layer.in_proj_bias.grad.numpy()[share],
                  f"inputs/{part}": inputs[part].detach().numpy(),
                  f"d/inputs/{part}": inputs[part].grad.numpy()}  # fmt: skip
    out = layer.out_proj
    found |= {"out/kernel": out.weight.detach().numpy().T, "out/bias": out.bias.detach().numpy()}
    return found | {"d/out/kernel": out.weight.grad.numpy().T, "d/out/bias": out.bias.grad.numpy()}
