"""Rows of `jaxdl.initializers`."""

from jaxdl import initializers
from jaxdl.errors import DtypeError
from rows.common import Bad, Call

FAN_BAD: tuple[Bad, ...] = (
    ((), {"distribution": "gaussian"}, ValueError, "'normal', 'truncated_normal', 'uniform'"),
    ((), {"distribution": None}, ValueError, "'distribution' is None"),
    ((), {"distribution": 1}, ValueError, "'distribution' is 1"),
)


def not_negative(name: str) -> tuple[Bad, ...]:
    return tuple(((), {name: v}, ValueError, f"'{name}'") for v in (-1.0, float("nan"), float("inf")))


CALLS: tuple[Call, ...] = (
    ("initializers.zeros", initializers.zeros, ()),
    ("initializers.normal", initializers.normal, not_negative("stddev")),
    ("initializers.uniform", initializers.uniform, not_negative("limit")),
    ("initializers.lecun", initializers.lecun, FAN_BAD),
    ("initializers.he", initializers.he, FAN_BAD),
    ("initializers.glorot", initializers.glorot, FAN_BAD),
    (
        "initializers.xavier", initializers.xavier,
        (*FAN_BAD, ((), {"fans": "out"}, ValueError, "'in_and_out', 'in'")),
    ),
    ("initializers.orthogonal", initializers.orthogonal, not_negative("gain")),
    (
        "initializers.library_default", initializers.library_default,
        (
            (("tensorflow",), {}, ValueError, "'torch', 'keras', 'flax'"),
            (("torch",), {"inputs": 0}, ValueError, "'inputs' is 0; expected at least 1"),
            (("torch",), {"inputs": 2.5}, DtypeError, "whole number"),
            (("keras",), {"inputs": 3}, ValueError, "with inputs"),
        ),
    ),
)  # fmt: skip
