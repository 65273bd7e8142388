"""Targets of detection are checked once, on the host, before a run is compiled."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import losses, optim, train
from jaxdl.errors import FormatError
from jaxdl.net import from_pair

NET = from_pair(
    lambda key: {},
    lambda params, x: losses.YoloOutputs(
        jnp.zeros((len(x), 1, 1, 1, 4)), jnp.zeros((len(x), 1, 1, 1)), jnp.zeros((len(x), 1, 1, 1, 3))
    ),
)


def targets(**changes: Any) -> dict[str, np.ndarray]:
    boxes = np.tile(np.array([1.0, 1, 5, 7], np.float32), (4, 2, 1))
    found = {"boxes": boxes, "labels": np.full((4, 2), 2), "mask": np.array([[True, False]] * 4)}
    return found | changes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": np.array([[2, 0], [3, 0], [0, 0], [5, 9]])},
         r"data targets\['labels'\]' is 3 in object 0 of image 1, one of 2 such; expected in \[0, 3\)"),
        ({"labels": np.array([[2, 0], [-1, 0], [0, 0], [0, 0]])}, "is -1 in object 0 of image 1; expected"),
        ({"boxes": np.tile(np.array([5.0, 1, 1, 7], np.float32), (4, 2, 1))}, r"\[5.0, 1.0, 1.0, 7.0\] in"),
    ],
)  # fmt: skip
def test_unsound_objects_are_named_before_training(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(FormatError, match=words):
        train.fit(NET, (np.zeros((4, 8, 8, 1), np.float32), targets(**changes)), loss=losses.yolo_anchors,
                  optimizer=optim.sgd(0.1), epochs=1, batch_size=2, progress="off")  # fmt: skip
