"""PyTorch's paths to the files of nn: nn.modules.conv, nn.modules.batchnorm and so on.

All of them are this module, which has every layer, and the bases that programs ask for.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from itertools import repeat
from typing import Any

from jitnet.nn import *
from jitnet.other_names import also

from ..batchnorm import _BatchNorm as _BatchNorm
from ..batchnorm import _InstanceNorm as _InstanceNorm
from ..batchnorm import _Norm as _NormBase
from ..conv import _Convolution as _ConvNd
from ..conv import _ConvTranspose as _ConvTransposeNd
from ..dropout import _Dropout as _DropoutNd
from ..loading import IncompatibleKeys as _IncompatibleKeys
from ..loss import _Loss as _Loss
from ..pooling import _AdaptivePool as _AdaptiveAvgPoolNd
from ..pooling import _AvgPool as _AvgPoolNd
from ..pooling import _MaxPool as _MaxPoolNd

_WeightedLoss = _Loss


def _ntuple(count: int) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that repeats one value, and makes a tuple of several."""

    def spread(value: Any) -> tuple[Any, ...]:
        return tuple(value) if isinstance(value, Iterable) else tuple(repeat(value, count))

    return spread


_single = _ntuple(1)
_pair = _ntuple(2)
_triple = _ntuple(3)
_quadruple = _ntuple(4)

_FILES = (
    "activation adaptive batchnorm channelshuffle container conv distance dropout flatten fold "
    "instancenorm lazy linear loss module normalization padding pixelshuffle pooling rnn sparse "
    "transformer upsampling utils"
)
_self = sys.modules[__name__]
also(__name__, **dict.fromkeys(_FILES.split(), _self))
globals().update(dict.fromkeys(_FILES.split(), _self))
