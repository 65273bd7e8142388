"""The empty figure that every picture starts from, and how it is written."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxdl.errors import DtypeError, MissingExtraError, explain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure(panels: int, *, rows: int = 1, panel_size: tuple[float, float] = (5.2, 3.6)) -> "Figure":
    """Return a figure of `rows` times `panels` axes, each of `panel_size` inches."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError(
            "plot: matplotlib is not installed. Fix: pip install -e '.[examples]' in the checkout"
        ) from error
    drawn = Figure(figsize=(panel_size[0] * panels, panel_size[1] * rows), layout="constrained")
    drawn.subplots(rows, panels, squeeze=False)
    return drawn


def save(drawn: "Figure", path: str | Path | None) -> None:
    """Write a figure as PNG; the folder is made where there is none."""
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        drawn.savefig(path, dpi=120)


def require(op: str, argument: str, value: Any, kind: type, fix: str) -> None:
    """Raise `DtypeError` unless `value` is what is to be drawn."""
    if not isinstance(value, kind):
        raise DtypeError(
            explain(op, argument, got=f"a {type(value).__name__}", expected=f"a {kind.__name__}", fix=fix)
        )
