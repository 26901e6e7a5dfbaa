"""A counter of structural changes: compiled code looks at it before it looks at anything else.

Guards on modules and optimizers (which parameters, which flags, which hyper-parameters) are
re-checked only when this number has moved since they were last found to hold.
"""

from __future__ import annotations

current: int = 0


def bump() -> None:
    """Note that the state of a module or an optimizer was rebound."""
    global current
    current += 1
