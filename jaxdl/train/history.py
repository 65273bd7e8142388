"""What a run recorded, epoch by epoch."""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

from jaxdl import _checks
from jaxdl.errors import explain


@dataclasses.dataclass(frozen=True)
class History(Mapping[str, np.ndarray]):
    """Recorded values by name, each a float32 array (epochs,).

    ``"loss"`` is the mean over the training batches as they were seen, while the parameters moved;
    ``"valid_loss"`` and ``"valid_<metric>"`` are measured after the epoch, over every validation example.

    ``"step_loss"``, where asked for, is (epochs, steps); what `Spec.record` returns is (epochs, ...).

    Attributes:
        curves: the arrays by name.

    Example:
        >>> history = History({"loss": np.array([3.0, 1.0, 2.0])})
        >>> history.best("loss"), history["loss"].tolist()
        ((1, 1.0), [3.0, 1.0, 2.0])
    """

    curves: Mapping[str, np.ndarray]

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.curves:
            raise KeyError(f"History: '{name}' was not recorded; recorded are {', '.join(self.curves)}")
        return self.curves[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.curves)

    def __len__(self) -> int:
        return len(self.curves)

    @property
    def epochs(self) -> int:
        """Number of epochs recorded."""
        return len(next(iter(self.curves.values()), ()))

    def best(self, name: str, *, mode: str = "min") -> tuple[int, float]:
        """Return (epoch, value) where `name` is least (``"min"``) or greatest (``"max"``); NaN is skipped.

        Raises:
            KeyError: `name` was not recorded.
            ValueError: unknown mode, only NaN was recorded, or `name` is no curve of one value an epoch.
        """
        _checks.one_of("History.best", "mode", mode, ("min", "max"))
        values = self[name]
        if values.ndim != 1:
            raise ValueError(
                explain("History.best", "name", got=f"'{name}', of shape {values.shape}",
                        expected="a curve with one value an epoch",
                        fix=f"reduce it first: history['{name}'].mean(axis=-1)")
            )  # fmt: skip
        if np.all(np.isnan(values)):
            raise ValueError(f"History.best: '{name}' holds only NaN")
        epoch = int(np.nanargmin(values) if mode == "min" else np.nanargmax(values))
        return epoch, float(values[epoch])

    def line(self, epoch: int) -> str:
        """Word one epoch: ``epoch  3  loss 0.1234  valid_accuracy 0.9710``."""
        cells = [f"{name} {values[epoch]:.4f}" for name, values in self.curves.items() if values.ndim == 1]
        return "  ".join([f"epoch {epoch + 1:>3}", *cells])
