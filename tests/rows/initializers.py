"""Rows of `jaxdl.initializers`."""

from rows.common import Bad, Call

from jaxdl import initializers

FAN_BAD: tuple[Bad, ...] = (
    ((), {"distribution": "gaussian"}, ValueError, "'normal', 'truncated_normal', 'uniform'"),
    ((), {"distribution": None}, ValueError, "'distribution' is None"),
    ((), {"distribution": 1}, ValueError, "'distribution' is 1"),
)
CALLS: tuple[Call, ...] = (
    ("initializers.zeros", initializers.zeros, ()),
    (
        "initializers.normal", initializers.normal,
        tuple(((), {"stddev": v}, ValueError, "stddev") for v in (-1.0, float("nan"), float("inf"))),
    ),
    ("initializers.lecun", initializers.lecun, FAN_BAD),
    ("initializers.he", initializers.he, FAN_BAD),
    ("initializers.glorot", initializers.glorot, FAN_BAD),
)  # fmt: skip
