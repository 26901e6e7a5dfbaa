"""skip_init: a module made without drawing its initial values."""

from __future__ import annotations

from typing import Any

from ..module import Module


def skip_init(module_cls: type[Module], *args: Any, **kwargs: Any) -> Module:
    """Return module_cls(*args, **kwargs), whose parameters are to be written before use.

    PyTorch saves the time of drawing them; here they are drawn.
    """
    return module_cls(*args, **kwargs)
