"""The switches that each thread has: whether ops are recorded, whether compiled code is used."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from itertools import product

_DISABLED = os.environ.get("JITNET_DISABLE", "0") not in ("", "0")


@dataclass(slots=True, eq=False)
class Modes:
    """One setting of all switches. There is one object for each, so `is` compares two."""

    enabled: bool  # ops are recorded on the tape
    inference: bool
    eager: bool  # compiled functions run as the Python that they were made of

    # The settings that differ in one switch.
    recorded: Modes = field(init=False, repr=False)
    unrecorded: Modes = field(init=False, repr=False)
    eagerly: Modes = field(init=False, repr=False)

    def recording(self, wanted: bool) -> Modes:
        """Return the same but for whether ops are recorded."""
        return self.recorded if wanted else self.unrecorded


ALL = {setting: Modes(*setting) for setting in product((False, True), repeat=3)}
for each in ALL.values():
    each.recorded = ALL[True, each.inference, each.eager]
    each.unrecorded = ALL[False, each.inference, each.eager]
    each.eagerly = ALL[each.enabled, each.inference, True]


class Mode(threading.local):
    """Each thread's switches, set by setting `now`."""

    now: Modes = ALL[True, False, _DISABLED]


mode = Mode()
