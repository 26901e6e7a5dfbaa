"""Files of tensors, in the two formats that people exchange; loading one never runs code from it.

One rule: `save` writes what torch.save writes (a zip file, ".pth" or ".pt" by custom), `save_file`
writes a flat dict of tensors as safetensors, and `load` reads both: it looks at a file's content,
never at its name.
"""

from .checkpoint import load, save
from .errors import CheckpointError
from .flat import load_file, save_file

__all__ = ["CheckpointError", "load", "load_file", "save", "save_file"]
