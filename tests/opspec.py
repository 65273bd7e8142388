"""The one table of public functions, collected from its families. `test_ops.py` grows out of it.

`OPS` are functions of arrays alone. `CALLS` are the others, such as optimizers and initialisers: their bad
inputs stand here, their own tests beside their modules. A public function without a row fails there.
"""

from rows import activations, initializers, kernels, losses, metrics, optim, probe, scaling
from rows.common import Bad as Bad
from rows.common import Call, Op

FAMILIES = (activations, losses, metrics, initializers, optim, probe, scaling, kernels)
OPS: tuple[Op, ...] = tuple(op for family in FAMILIES for op in getattr(family, "OPS", ()))
CALLS: tuple[Call, ...] = tuple(call for family in FAMILIES for call in getattr(family, "CALLS", ()))
