"""Arrays in files: trees as safetensors under a SHA-256; torch's files; its weights, and torchvision's."""

from .torch_file import load_torch as load_torch
from .torch_recurrent import from_torch_recurrent as from_torch_recurrent
from .torch_recurrent import to_torch_recurrent as to_torch_recurrent
from .torchvision import from_torchvision as from_torchvision
from .torchvision import to_torchvision as to_torchvision
from .torchvision_files import download_torchvision as download_torchvision
from .torchvision_files import torchvision_scaling as torchvision_scaling
from .tree_file import load as load
from .tree_file import metadata as metadata
from .tree_file import save as save
