"""The one table of public functions, collected from its families. `test_ops.py` grows out of it.

`OPS` are functions of arrays alone. `CALLS` are the others, such as optimizers, initialisers and fits: their
bad inputs stand here, their own tests beside their modules. A public function without a row fails there.
"""

import importlib
import pkgutil

import rows
from rows.common import Bad as Bad
from rows.common import Call, Op

FAMILIES = [importlib.import_module(f"rows.{module.name}") for module in pkgutil.iter_modules(rows.__path__)]
OPS: tuple[Op, ...] = tuple(op for family in FAMILIES for op in getattr(family, "OPS", ()))
CALLS: tuple[Call, ...] = tuple(call for family in FAMILIES for call in getattr(family, "CALLS", ()))
