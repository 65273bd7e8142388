"""Arrays in files: trees as safetensors under a SHA-256, written whole or not at all."""

from .tree_file import load as load
from .tree_file import metadata as metadata
from .tree_file import save as save
