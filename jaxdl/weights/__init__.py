"""Arrays in files: trees as safetensors under a SHA-256, written whole or not at all."""

from .torch_file import load_torch as load_torch
from .tree_file import load as load
from .tree_file import metadata as metadata
from .tree_file import save as save
