"""Optional dependencies, imported where they are needed."""

import importlib
from types import ModuleType

from jaxdl.errors import MissingExtraError


def require(module: str, package: str, op: str) -> ModuleType:
    """Return an optional module, or raise `MissingExtraError` that names the extra it is in."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{op}: needs {package}, which is not installed ({error}). "
            "Fix: pip install -e '.[examples]' in the checkout of this project"
        ) from error
