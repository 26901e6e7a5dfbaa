"""Images: transforms, datasets, models, boxes and grids, with torchvision's names.

Transforms and datasets need Pillow: `pip install 'jitnet[vision]'`. Nothing of this is imported by
`import jitnet`; each part is imported when it is first named.

>>> from jitnet.vision import datasets, models, ops, transforms
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from jitnet.missing import missing

__all__ = ["datasets", "models", "ops", "transforms", "utils"]

_missing = missing(__name__, dict.fromkeys(__all__))


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    return _missing(name)
