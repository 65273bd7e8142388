"""Write ``mining.npz`` from pytorch-metric-learning: ``PYTHONPATH=tests python tests/golden/make_mining.py``.

Written by its version 2.9. It is no dependency of anything here; install it where this is run.
"""

from pathlib import Path
from typing import Any

import numpy as np

MARGIN = 0.7
# miner, power of the Euclidean distance, reducer; the keywords that ask for the same.
CASES: dict[str, tuple[tuple[str | None, int, str], dict[str, str]]] = {
    "all": ((None, 1, "AvgNonZero"), {"mining": "batch_all", "form": "euclidean"}),
    "all_squared_mean": (
        (None, 2, "Mean"),
        {"mining": "batch_all", "form": "squared_euclidean", "average": "all"},
    ),
    "hard": (("BatchHard", 1, "AvgNonZero"), {"mining": "batch_hard", "form": "euclidean"}),
    "hard_squared_mean": (
        ("BatchHard", 2, "Mean"),
        {"mining": "batch_hard", "form": "squared_euclidean", "average": "all"},
    ),
    "semi_hard": (("SemiHard", 1, "AvgNonZero"), {"mining": "semi_hard", "form": "euclidean"}),
    "semi_hard_squared": (("SemiHard", 2, "AvgNonZero"), {}),
}


def batch() -> tuple[np.ndarray, np.ndarray]:
    """Return embeddings (14, 3) and labels (14,), one of them alone in its class."""
    rng = np.random.default_rng(5)
    return rng.normal(size=(14, 3)), np.array([0, 1, 2, 3, 0, 1, 2, 0, 4, 1, 2, 0, 3, 1])


def mined(case: str) -> dict[str, np.ndarray]:
    """Return loss and gradient of one case, in float64."""
    import torch
    from pytorch_metric_learning import distances, losses, miners, reducers

    (miner, power, reducer), _ = CASES[case]
    distance = distances.LpDistance(normalize_embeddings=False, p=2, power=power)
    found: Any = {
        None: None,
        "BatchHard": miners.BatchHardMiner(distance=distance),
        "SemiHard": miners.TripletMarginMiner(MARGIN, "semihard", distance=distance),
    }[miner]
    loss = losses.TripletMarginLoss(
        MARGIN, distance=distance, reducer=getattr(reducers, f"{reducer}Reducer")()
    )
    x, y = batch()
    embeddings, labels = torch.tensor(x, requires_grad=True), torch.tensor(y)
    value = loss(embeddings, labels, None if found is None else found(embeddings, labels))
    value.backward()
    return {f"{case}/value": value.detach().numpy(), f"{case}/gradient": embeddings.grad.numpy()}


if __name__ == "__main__":
    arrays = {name: array for case in CASES for name, array in mined(case).items()}
    np.savez_compressed(Path(__file__).with_name("mining.npz"), **arrays)
