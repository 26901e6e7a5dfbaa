"""The switches that each thread has: whether ops are recorded, whether compiled code is used."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from itertools import product

_DISABLED = os.environ.get("JITNET_DISABLE", "0") not in ("", "0")


@dataclass(frozen=True, slots=True, eq=False)
class Modes:
    """One setting of all switches. There is one object for each, so `is` compares two."""

    enabled: bool  # ops are recorded on the tape
    inference: bool
    eager: bool  # compiled functions run as the Python that they were made of

    def recording(self, wanted: bool) -> Modes:
        """Return the same but for whether ops are recorded."""
        return ALL[wanted, self.inference, self.eager]

    def eagerly(self) -> Modes:
        """Return the same with compiled code switched off."""
        return ALL[self.enabled, self.inference, True]


ALL = {setting: Modes(*setting) for setting in product((False, True), repeat=3)}


class Mode(threading.local):
    """Each thread's switches, set by setting `now`."""

    now: Modes = ALL[True, False, _DISABLED]


mode = Mode()
