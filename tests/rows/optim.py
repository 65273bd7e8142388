"""Rows of `jaxdl.optim`."""

from rows.common import Bad, Call

from jaxdl import optim
from jaxdl.errors import DtypeError

RATE_BAD: tuple[Bad, ...] = (
    ((-0.1,), {}, ValueError, r"'learning_rate' is -0.1; expected \[0, inf\)"),
    ((float("nan"),), {}, ValueError, "'learning_rate' is nan"),
    (("0.1",), {}, DtypeError, "expected a number"),
    (([0.1],), {}, DtypeError, "expected a number"),
    ((float("inf"),), {}, ValueError, "'learning_rate' is inf"),
)
CALLS: tuple[Call, ...] = (
    ("optim.sgd", optim.sgd, RATE_BAD),
    (
        "optim.momentum", optim.momentum,
        (
            *RATE_BAD,
            ((0.1,), {"beta": 1.0}, ValueError, r"'beta' is 1.0; expected \[0, 1\)"),
            ((0.1,), {"form": "nesterov"}, ValueError, "'heavy_ball', 'average'"),
            ((0.1,), {"debias": True}, ValueError, "form='average'"),
        ),
    ),
    (
        "optim.adam", optim.adam,
        (
            *RATE_BAD,
            ((0.1,), {"beta1": -0.1}, ValueError, "'beta1' is -0.1"),
            ((0.1,), {"beta2": 2}, ValueError, "'beta2' is 2"),
            ((0.1,), {"eps": -1}, ValueError, "'eps' is -1"),
        ),
    ),
)  # fmt: skip
