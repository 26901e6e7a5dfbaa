"""The switches of each thread: what ops record, whether compiled code runs, what autocast casts."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from jitnet.runtime.dtype import DType, bfloat16, float16

_DISABLED = os.environ.get("JITNET_DISABLE", "0") not in ("", "0")
_AUTOCAST = (None, bfloat16, float16)


@dataclass(slots=True, eq=False)
class Modes:
    """One setting of all switches. There is one object for each, so `is` compares two."""

    enabled: bool  # ops are recorded on the tape
    inference: bool
    eager: bool  # compiled functions run as the Python that they were made of
    autocast: DType | None = None  # what products of matrices are computed in

    # The settings that differ in one switch.
    recorded: Modes = field(init=False, repr=False)
    unrecorded: Modes = field(init=False, repr=False)
    eagerly: Modes = field(init=False, repr=False)

    def recording(self, wanted: bool) -> Modes:
        """Return the same but for whether ops are recorded."""
        return self.recorded if wanted else self.unrecorded

    def casting(self, dtype: DType | None) -> Modes:
        """Return the same but for autocast's dtype; None: autocast is off."""
        return ALL[self.enabled, self.inference, self.eager, dtype]

    def inferring(self, wanted: bool) -> Modes:
        """Return the same but for whether inference mode is on, in which nothing is recorded."""
        return ALL[self.enabled and not wanted, wanted, self.eager, self.autocast]


_BOTH = (False, True)
ALL = {setting: Modes(*setting) for setting in product(_BOTH, _BOTH, _BOTH, _AUTOCAST)}
for each in ALL.values():
    each.recorded = ALL[True, each.inference, each.eager, each.autocast]
    each.unrecorded = ALL[False, each.inference, each.eager, each.autocast]
    each.eagerly = ALL[each.enabled, each.inference, True, each.autocast]


class Mode(threading.local):
    """Each thread's switches, set by setting `now`."""

    now: Modes = ALL[True, False, _DISABLED, None]
    mapping: Any = None  # the innermost call of vmap, a func.batched.Mapping


mode = Mode()
