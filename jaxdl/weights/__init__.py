"""Arrays in files: trees as safetensors under a SHA-256; torch's files; the weights of torchvision."""

from .torch_file import load_torch as load_torch
from .torchvision import from_torchvision as from_torchvision
from .torchvision import to_torchvision as to_torchvision
from .torchvision_files import download_torchvision as download_torchvision
from .torchvision_files import torchvision_scaling as torchvision_scaling
from .tree_file import load as load
from .tree_file import metadata as metadata
from .tree_file import save as save
