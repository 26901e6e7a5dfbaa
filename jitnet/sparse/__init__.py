"""Sparse tensors: coordinates and the elements there; products of them with dense tensors.

All of it is made of dense ops, so that gradients and compiled functions follow by themselves.
"""

from ..absent import absent as _absent
from .functions import addmm as addmm
from .functions import log_softmax as log_softmax
from .functions import mm as mm
from .functions import softmax as softmax
from .functions import sparse_coo_tensor as sparse_coo_tensor
from .functions import sparse_csr_tensor as sparse_csr_tensor
from .functions import sum as sum
from .functions import to_sparse as to_sparse
from .functions import to_sparse_csr as to_sparse_csr
from .tensor import SparseTensor as SparseTensor
from .typed import DoubleTensor as DoubleTensor
from .typed import FloatTensor as FloatTensor
from .typed import IntTensor as IntTensor
from .typed import LongTensor as LongTensor

spmm = mm
SparseSemiStructuredTensor, to_sparse_semi_structured = (
    _absent(f"sparse.{name}", "elements are pruned as a mask says: nn.utils.prune")
    for name in ("SparseSemiStructuredTensor", "to_sparse_semi_structured")
)
