"""Torch's recurrent layers: outputs, carries and gradients over packed sequences from a given carry."""

from typing import Any

import numpy as np

BATCH, TIME, INPUTS, FEATURES = 3, 5, 2, 4
LENGTHS = (3, 5, 1)
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "rnn_tanh": ("RNN", {}),
    "rnn_relu": ("RNN", {"nonlinearity": "relu"}),
    "gru": ("GRU", {}),
    "lstm": ("LSTM", {}),
}
# By name, such as "gru_3_both": the torch module and its options.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    f"{kind}_{layers}_{'both' if both else 'one'}": (
        module,
        {"num_layers": layers, "bidirectional": both, **more},
    )
    for kind, (module, more) in KINDS.items()
    for layers in (1, 2, 3)
    for both in (False, True)
}
GOLDEN = ("rnn_tanh_2_both", "rnn_relu_1_one", "gru_1_both", "gru_3_one", "lstm_1_one", "lstm_3_both")


def arrays(torch: Any, name: str) -> dict[str, np.ndarray]:
    """Return weights, inputs, the factors of the loss, outputs, last carries and all gradients of a case.

    The loss is the sum of outputs and last carries, each entry times a factor of its own.
    """
    kind, options = CASES[name]
    torch.manual_seed(sorted(CASES).index(name))
    layer = getattr(torch.nn, kind)(INPUTS, FEATURES, batch_first=True, **options)
    runs = options["num_layers"] * (1 + options["bidirectional"])
    x = torch.randn(BATCH, TIME, INPUTS, requires_grad=True)
    carry = [torch.randn(runs, BATCH, FEATURES, requires_grad=True) for _ in range(1 + (kind == "LSTM"))]
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
    y, last = layer(packed, tuple(carry) if kind == "LSTM" else carry[0])
    y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=TIME)
    results = [y, *(last if kind == "LSTM" else [last])]
    factors = [torch.randn_like(one) for one in results]
    sum((one * factor).sum() for one, factor in zip(results, factors, strict=True)).backward()
    found = {"x": x, "x/gradient": x.grad}
    for number, (start, result, factor) in enumerate(zip([None, *carry], results, factors, strict=True)):
        found |= {f"result{number}": result, f"factor{number}": factor}
        if start is not None:
            found |= {f"carry{number}": start, f"carry{number}/gradient": start.grad}
    for key, value in layer.named_parameters():
        found |= {f"weights/{key}": value, f"gradients/{key}": value.grad}
    return {f"{name}/{key}": value.detach().numpy().copy() for key, value in found.items()}


def keras_gru(keras: Any) -> dict[str, np.ndarray]:
    """Return weights, inputs and outputs of Keras's GRU that resets before the product."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(BATCH, TIME, INPUTS)).astype(np.float32)
    layer = keras.layers.GRU(FEATURES, reset_after=False, return_sequences=True)
    layer.build(x.shape)
    shapes = ((INPUTS, 3 * FEATURES), (FEATURES, 3 * FEATURES), (3 * FEATURES,))
    weights = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    layer.set_weights(weights)
    found = dict(zip(("input", "recurrent", "bias"), weights, strict=True))
    return {f"keras/{key}": a for key, a in (found | {"x": x, "outputs": np.asarray(layer(x))}).items()}
