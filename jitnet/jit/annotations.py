"""jitnet.jit.annotations: typing's names, which scripts were annotated with."""

from typing import Any, Dict, List, Optional, Tuple, Union  # noqa: UP035

from jitnet.missing import missing

BroadcastingList1 = BroadcastingList2 = BroadcastingList3 = list

__all__ = ["Any", "Dict", "List", "Optional", "Tuple", "Union"]
__getattr__ = missing(__name__, globals())
