"""What a gradient check found, and how it is said."""

import dataclasses

import numpy as np

from jaxdl._differences import Quotients

Place = tuple[str, tuple[int, ...] | None, str]  # leaf, index of the entry, both in words


@dataclasses.dataclass(frozen=True)
class Kink:
    """A probe at which the function has a kink: the quotient depends on the side.

    Attributes:
        where: the leaf and its index, or the leaf and the number of the direction.
        left: slope from below, ``(f(x) - f(x - h v)) / h``.
        right: slope from above, ``(f(x + h v) - f(x)) / h``.
        analytic: what `jax.grad` says, which lies between them.
    """

    where: str
    left: float
    right: float
    analytic: float


@dataclasses.dataclass(frozen=True)
class Report:
    """What `check` found; its text is the message.

    Attributes:
        passed: no probe is wrong, undefined or drowned by rounding.
        probes: entries and directions that were compared.
        absolute_error: largest ``|analytic - numerical|`` away from kinks.
        relative_error: largest ``|analytic - numerical| / max(|analytic|, |numerical|, noise / tolerance)``
            away from kinks: at most the tolerance where the gradient is right.
        path: leaf of the largest relative error.
        index: its entry, or None where the leaf was probed along directions.
        analytic: the derivative there by `jax.grad`.
        numerical: the derivative there by central differences.
        tolerance: the largest relative error that passes.
        resolution: the largest error that rounding alone can make in a quotient.
        kinks: the probes at which the function has a kink; they are no errors.
        message: all of this in words.
    """

    passed: bool
    probes: int
    absolute_error: float
    relative_error: float
    path: str
    index: tuple[int, ...] | None
    analytic: float
    numerical: float
    tolerance: float
    resolution: float
    kinks: tuple[Kink, ...]
    message: str

    def __str__(self) -> str:
        return self.message


def report(places: list[Place], analytic: np.ndarray, slopes: Quotients, tolerance: float) -> Report:
    """Judge every probe, and say what was found."""
    central, left, right, noise = slopes.central, slopes.left, slopes.right, slopes.noise
    with np.errstate(invalid="ignore"):
        error = np.abs(analytic - central)
        size = np.maximum(np.abs(analytic), np.abs(central))
        relative = error / np.maximum(np.maximum(size, noise / tolerance), np.finfo(np.float64).tiny)
        bound = tolerance * size + noise
        between = (analytic >= np.minimum(left, right) - bound) & (
            analytic <= np.maximum(left, right) + bound
        )
    relative = np.where(np.isnan(error), np.inf, relative)
    kinked = between & (slopes.kink | (slopes.near & (relative > tolerance)))
    judged = np.where(kinked, -1.0, relative)
    worst = int(np.argmax(judged))
    finite = size[np.isfinite(size)]
    drowned = (noise > tolerance) & (noise > 0.1 * np.max(finite, initial=0))
    kinks = tuple(
        Kink(places[i][2], float(left[i]), float(right[i]), float(analytic[i]))
        for i in np.flatnonzero(kinked)
    )
    absolute = float(np.max(np.where(kinked, 0.0, np.where(np.isnan(error), np.inf, error))))
    figures = (places[worst][2], float(analytic[worst]), float(central[worst]))
    message = _words(figures, float(max(judged[worst], 0)), tolerance, len(error), kinks)
    if judged[worst] <= tolerance and drowned.any():
        message = (
            f"check: the values are so large beside their slopes that a difference quotient is known to "
            f"{noise.max():.1e} only, the gradient being at most {np.max(finite, initial=0):.1e}. "
            "Fix: take a constant off the function, or pass a larger step"
        )
    return Report(
        passed=bool(judged[worst] <= tolerance and not drowned.any()), probes=len(error),
        absolute_error=absolute, relative_error=float(max(judged[worst], 0)), path=places[worst][0],
        index=places[worst][1], analytic=figures[1], numerical=figures[2], tolerance=tolerance,
        resolution=float(noise.max()), kinks=kinks, message=message,
    )  # fmt: skip


def _words(
    figures: tuple[str, float, float], relative: float, tolerance: float, probes: int, kinks: tuple[Kink, ...]
) -> str:
    where, analytic, numerical = figures
    said = "".join(
        f"; on a kink at {kink.where}: slope {kink.left:.6g} from the left, {kink.right:.6g} from the right, "
        f"jax.grad says {kink.analytic:.6g}"
        for kink in kinks[:3]
    ) + (f"; and {len(kinks) - 3} more kinks" if len(kinks) > 3 else "")  # fmt: skip
    if relative <= tolerance:
        return f"check: {probes} derivatives agree, largest relative error {relative:.1e}{said}"
    if np.isnan(numerical):
        cause, fix = "the function is not finite a step away", "choose a point inside its domain, or a step"
    elif not np.isfinite(analytic):
        cause, fix = "the gradient is not finite though the function is", "look for 0 * inf, as in sqrt at 0"
    else:
        cause, fix = f"relative error {relative:.1e}", "mend the derivative rule, or try another step"
    return (
        f"check: the derivative at {where} is {analytic:.9g} by jax.grad and {numerical:.9g} by central "
        f"differences: {cause}; expected at most {tolerance:.0e}{said}. Fix: {fix}"
    )
