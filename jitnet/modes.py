"""The switches of each thread: what ops record, whether compiled code runs, what autocast casts.

And which devices are meant where none is named, or no number of a GPU.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Any

from jitnet.runtime.device import CPU, Device
from jitnet.runtime.dtype import DType, bfloat16, float16

_DISABLED = os.environ.get("JITNET_DISABLE", "0") not in ("", "0")
_AUTOCAST = (None, bfloat16, float16)
_BOTH = (False, True)
_making = threading.Lock()


@dataclass(slots=True, eq=False)
class Modes:
    """One setting of all switches. There is one object for each, so `is` compares two."""

    enabled: bool  # ops are recorded on the tape
    inference: bool
    eager: bool  # compiled functions run as the Python that they were made of
    autocast: DType | None  # what products of matrices are computed in
    device: Device  # where tensors are made that nobody places
    gpu: int  # the number of the GPU that "cuda" means

    # The settings that differ in one switch.
    recorded: Modes = field(init=False, repr=False)
    unrecorded: Modes = field(init=False, repr=False)
    eagerly: Modes = field(init=False, repr=False)

    def recording(self, wanted: bool) -> Modes:
        """Return the same but for whether ops are recorded."""
        return self.recorded if wanted else self.unrecorded

    def casting(self, dtype: DType | None) -> Modes:
        """Return the same but for autocast's dtype; None: autocast is off."""
        return self._at(self.enabled, self.inference, dtype)

    def inferring(self, wanted: bool) -> Modes:
        """Return the same but for whether inference mode is on, in which nothing is recorded."""
        return self._at(self.enabled and not wanted, wanted, self.autocast)

    def _at(self, enabled: bool, inference: bool, autocast: DType | None) -> Modes:
        return modes_at(self.device, self.gpu)[enabled, inference, self.eager, autocast]

    def placing(self, device: Device) -> Modes:
        """Return the same but for where tensors are made that nobody places."""
        return modes_at(device, self.gpu)[self._switches()]

    def choosing(self, gpu: int) -> Modes:
        """Return the same but for the GPU that "cuda" means."""
        return modes_at(self.device, gpu)[self._switches()]

    def _switches(self) -> _Switches:
        return self.enabled, self.inference, self.eager, self.autocast


_Switches = tuple[bool, bool, bool, DType | None]


def modes_at(device: Device, gpu: int) -> dict[_Switches, Modes]:
    """Return all settings of the other switches, for these devices."""
    with _making:
        return _modes_at(device, gpu)


@cache
def _modes_at(device: Device, gpu: int) -> dict[_Switches, Modes]:
    found = {
        setting: Modes(*setting, device, gpu) for setting in product(_BOTH, _BOTH, _BOTH, _AUTOCAST)
    }
    for each in found.values():
        each.recorded = found[True, each.inference, each.eager, each.autocast]
        each.unrecorded = found[False, each.inference, each.eager, each.autocast]
        each.eagerly = found[each.enabled, each.inference, True, each.autocast]
    return found


class Mode(threading.local):
    """Each thread's switches, set by setting `now`."""

    now: Modes = modes_at(CPU, 0)[True, False, _DISABLED, None]
    mapping: Any = None  # the innermost call of vmap, a func.batched.Mapping


mode = Mode()
