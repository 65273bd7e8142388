"""How errors of kernels are worded."""


def words(op: str, argument: str, got: str, expected: str, fix: str) -> str:
    """Word an error: where, what was got, what was expected, how to mend it."""
    return f"{op}: argument '{argument}' is {got}; expected {expected}. Fix: {fix}"
