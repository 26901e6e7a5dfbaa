"""Modules under other names: jitnet as `torch`, and PyTorch's paths to what lies elsewhere here.

After `sys.modules["torch"] = jitnet`, `import torch.nn` gives jitnet.nn itself, not a second copy.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

PYTORCH = "2.13.0+jitnet"


def also(package: str, **modules: ModuleType) -> None:
    """Let modules be imported as package.name, too, even if the package is one file."""
    owner = sys.modules[package]
    owner.__path__ = getattr(owner, "__path__", [])
    for name, module in modules.items():
        sys.modules[f"{package}.{name}"] = module


class _Same(Loader):
    """Loads a module that exists under its own name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module, and remember what importing it again would change."""
        module = import_module(self.name)
        self.spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Leave the module as it was."""
        module.__spec__ = self.spec


class _Renamed(MetaPathFinder):
    """Finds modules inside a package of jitnet that sys.modules holds under another name."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where to find torch.nn if `torch` is jitnet; None for all else."""
        root, _, rest = fullname.partition(".")
        own = getattr(sys.modules.get(root), "__name__", root)
        if not rest or own == root or own.partition(".")[0] != "jitnet":
            return None
        return ModuleSpec(fullname, _Same(f"{own}.{rest}"))


def install() -> None:
    """Let jitnet's modules be imported under the names that sys.modules has for their package."""
    if not any(isinstance(finder, _Renamed) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Renamed())


def be_pytorch() -> None:
    """Be what `import torch` and `import torchvision` give in this process.

    Programs that ask for a version get PyTorch's, whose names these are.
    """
    sys.modules["torch"] = jitnet = import_module("jitnet")
    jitnet.__version__ = PYTORCH  # type: ignore[attr-defined]
    sys.modules["torchvision"] = import_module("jitnet.vision")
