"""Bias and variance: what training loss, cross-validation loss and a baseline say, and what to do."""

import dataclasses
import math

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain

ADVICE = {
    "high bias": (
        "more features, or polynomial features",
        "a smaller lambda",
        "a larger model, or longer training",
        "more data alone will not help",
    ),
    "high variance": (
        "more training examples",
        "fewer features",
        "a larger lambda",
    ),
    "high bias and high variance": (
        "first a model that fits the training set: more or better features, a larger model",
        "then more training examples, or a larger lambda",
    ),
    "fine": ("nothing to mend: measure the test loss, once",),
}


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """What a model suffers from.

    Attributes:
        verdict: ``"high bias"``, ``"high variance"``, ``"high bias and high variance"`` or ``"fine"``.
        bias: training loss less the baseline, in the unit of the loss.
        variance: cross-validation loss less training loss, in the unit of the loss.
        advice: what to try, the most useful first.
    """

    verdict: str
    bias: float
    variance: float
    advice: tuple[str, ...]

    def __str__(self) -> str:
        """Say verdict, gaps and advice in one sentence each."""
        gaps = f"training loss {self.bias:+.4g} from the baseline, cross-validation {self.variance:+.4g} more"
        return f"{self.verdict} ({gaps}). Try: {'; '.join(self.advice)}."


def diagnose(
    train_loss: float, cv_loss: float, baseline: float = 0.0, *, bias_above: float, variance_above: float
) -> Diagnosis:
    """Tell high bias, ``J_train - baseline``, from high variance, ``J_cv - J_train``, and advise.

    Each gap is high when it exceeds its threshold. Both thresholds are in the unit of the loss and must be
    given: what counts as much is known to who knows the task, such as a tenth of the loss of the mean.

    Args:
        train_loss: mean loss over the training examples, without any penalty.
        cv_loss: mean loss over the cross-validation examples.
        baseline: the loss that can be hoped for: of people, of another method, of the noise; or 0.
        bias_above: the largest gap between training loss and baseline that is no high bias, 0 or more.
        variance_above: the largest gap between both losses that is no high variance, 0 or more.

    Returns:
        The `Diagnosis`.

    Raises:
        DtypeError: an argument is no number.
        ValueError: a loss that is not finite, or a negative threshold.

    Example:
        >>> diagnose(0.11, 0.15, 0.106, bias_above=0.02, variance_above=0.02).verdict
        'high variance'
        >>> print(diagnose(0.15, 0.16, 0.106, bias_above=0.02, variance_above=0.02).advice[1])
        a smaller lambda
    """
    losses = {"train_loss": train_loss, "cv_loss": cv_loss, "baseline": baseline}
    limits = {"bias_above": bias_above, "variance_above": variance_above}
    numbers = {name: _number(name, value) for name, value in (losses | limits).items()}
    for name in losses:
        _checks.in_range("diagnose", name, numbers[name], -math.inf, math.inf, "(-inf, inf)")
        if math.isinf(numbers[name]):
            raise ValueError(
                explain("diagnose", name, got=numbers[name], expected="a finite loss",
                        fix="look for the cause: the fit diverged")
            )  # fmt: skip
    for name in limits:
        _checks.in_range("diagnose", name, numbers[name], 0, math.inf, "[0, inf)")
    bias = numbers["train_loss"] - numbers["baseline"]
    variance = numbers["cv_loss"] - numbers["train_loss"]
    found = [
        name
        for name, high in (
            ("high bias", bias > numbers["bias_above"]),
            ("high variance", variance > numbers["variance_above"]),
        )
        if high
    ]
    verdict = " and ".join(found) or "fine"
    return Diagnosis(verdict, bias, variance, ADVICE[verdict])


def _number(name: str, value: object) -> float:
    array = _checks.array("diagnose", name, value)
    if array.ndim:
        raise ShapeError(
            explain("diagnose", name, got=f"of shape {array.shape}", expected="one number",
                    fix="diagnose one point of the curve, such as its last")
        )  # fmt: skip
    return float(array)
