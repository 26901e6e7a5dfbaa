"""jitnet: PyTorch-named tensors, gradients, networks, and a compiler for training steps."""

from pathlib import Path as _Path

# A checkout keeps compiler/ and runtime/ beside this folder; an installed jitnet holds them inside.
if (_checkout := _Path(__file__).parents[1]).joinpath("pyproject.toml").exists():
    __path__.append(str(_checkout))

__version__ = "0.1.0"

# constants
from math import e as e
from math import inf as inf
from math import nan as nan
from math import pi as pi

# dtypes
from jitnet.runtime.dtype import DType as dtype  # noqa: N813
from jitnet.runtime.dtype import bfloat16 as bfloat16
from jitnet.runtime.dtype import bool_ as bool
from jitnet.runtime.dtype import bool_ as bool_
from jitnet.runtime.dtype import complex64 as cfloat
from jitnet.runtime.dtype import complex64 as complex64
from jitnet.runtime.dtype import complex128 as cdouble
from jitnet.runtime.dtype import complex128 as complex128
from jitnet.runtime.dtype import float16 as float16
from jitnet.runtime.dtype import float16 as half
from jitnet.runtime.dtype import float32 as float
from jitnet.runtime.dtype import float32 as float32
from jitnet.runtime.dtype import float64 as double
from jitnet.runtime.dtype import float64 as float64
from jitnet.runtime.dtype import int8 as int8
from jitnet.runtime.dtype import int16 as int16
from jitnet.runtime.dtype import int16 as short
from jitnet.runtime.dtype import int32 as int
from jitnet.runtime.dtype import int32 as int32
from jitnet.runtime.dtype import int64 as int64
from jitnet.runtime.dtype import int64 as long
from jitnet.runtime.dtype import promote_types as promote_types
from jitnet.runtime.dtype import uint8 as uint8
from jitnet.runtime.dtype import uint16 as uint16
from jitnet.runtime.dtype import uint32 as uint32
from jitnet.runtime.dtype import uint64 as uint64
from jitnet.runtime.threads import get_num_threads as get_num_threads
from jitnet.runtime.threads import set_num_threads as set_num_threads

from . import absent, capture, compiling, keywords, other_names, tape
from . import accelerator as accelerator

# layers, optimizers, data
from . import amp as amp
from . import autograd as autograd
from . import backends as backends
from . import compiler as compiler
from . import cpu as cpu
from . import cuda as cuda
from . import distributed as distributed
from . import fft as fft
from . import jit as jit
from . import linalg as linalg
from . import nn as nn
from . import optim as optim
from . import profiler as profiler
from . import signal as signal
from . import utils as utils
from . import version as version
from .amp import GradScaler as GradScaler
from .amp import autocast as autocast
from .amp import get_autocast_dtype as get_autocast_dtype
from .amp import is_autocast_enabled as is_autocast_enabled
from .amp.autocast_mode import clear_autocast_cache as clear_autocast_cache
from .amp.autocast_mode import get_autocast_cpu_dtype as get_autocast_cpu_dtype
from .amp.autocast_mode import is_autocast_cache_enabled as is_autocast_cache_enabled
from .amp.autocast_mode import is_autocast_cpu_enabled as is_autocast_cpu_enabled
from .compile import compile as compile
from .compile import eager as eager

# making
from .creation import Generator as Generator
from .creation import arange as arange
from .creation import as_tensor as as_tensor
from .creation import bernoulli as bernoulli
from .creation import default_generator as default_generator
from .creation import empty as empty
from .creation import empty_like as empty_like
from .creation import eye as eye
from .creation import from_numpy as from_numpy
from .creation import full as full
from .creation import full_like as full_like
from .creation import get_default_dtype as get_default_dtype
from .creation import get_rng_state as get_rng_state
from .creation import initial_seed as initial_seed
from .creation import is_tensor as is_tensor
from .creation import linspace as linspace
from .creation import logspace as logspace
from .creation import manual_seed as manual_seed
from .creation import multinomial as multinomial
from .creation import normal as normal
from .creation import ones as ones
from .creation import ones_like as ones_like
from .creation import rand as rand
from .creation import rand_like as rand_like
from .creation import randint as randint
from .creation import randint_like as randint_like
from .creation import randn as randn
from .creation import randn_like as randn_like
from .creation import randperm as randperm
from .creation import scalar_tensor as scalar_tensor
from .creation import seed as seed
from .creation import set_default_dtype as set_default_dtype
from .creation import set_rng_state as set_rng_state
from .creation import tensor as tensor
from .creation import zeros as zeros
from .creation import zeros_like as zeros_like
from .device import Device as Device
from .device import device as device
from .device import get_default_device as get_default_device
from .device import set_default_device as set_default_device

# errors and printing
from .errors import CompileError as CompileError
from .errors import DTypeError as DTypeError
from .errors import ShapeError as ShapeError
from .functional.activation import celu as celu
from .functional.activation import hardshrink as hardshrink
from .functional.activation import log_softmax as log_softmax
from .functional.activation import prelu as prelu
from .functional.activation import relu as relu
from .functional.activation import relu_ as relu_
from .functional.activation import selu as selu
from .functional.activation import softmax as softmax
from .functional.activation import threshold as threshold
from .functional.arithmetic import *
from .functional.chains import chain_matmul as chain_matmul
from .functional.chains import vander as vander
from .functional.choice import *
from .functional.complex_numbers import *
from .functional.contraction import bilinear as bilinear
from .functional.contraction import einsum as einsum
from .functional.convolution import conv1d as conv1d
from .functional.convolution import conv2d as conv2d
from .functional.convolution import conv3d as conv3d
from .functional.convolution import conv_transpose1d as conv_transpose1d
from .functional.convolution import conv_transpose2d as conv_transpose2d
from .functional.convolution import conv_transpose3d as conv_transpose3d
from .functional.copies import *
from .functional.counting import *
from .functional.diagonals import *
from .functional.differences import *
from .functional.distance import cosine_embedding_loss as cosine_embedding_loss
from .functional.distance import cosine_similarity as cosine_similarity
from .functional.distance import pairwise_distance as pairwise_distance
from .functional.distance import triplet_margin_loss as triplet_margin_loss
from .functional.dropout import alpha_dropout as alpha_dropout
from .functional.dropout import dropout as dropout
from .functional.embedding import embedding as embedding
from .functional.exponents import *
from .functional.factors import *
from .functional.gamma import digamma as digamma
from .functional.gamma import lgamma as lgamma

# functions
from .functional.grids import *
from .functional.histograms import *
from .functional.indexing import argwhere as argwhere
from .functional.indexing import bincount as bincount
from .functional.indexing import gather as gather
from .functional.indexing import index_add as index_add
from .functional.indexing import index_copy as index_copy
from .functional.indexing import index_fill as index_fill
from .functional.indexing import index_put as index_put
from .functional.indexing import index_select as index_select
from .functional.indexing import isin as isin
from .functional.indexing import masked_fill as masked_fill
from .functional.indexing import masked_scatter as masked_scatter
from .functional.indexing import masked_select as masked_select
from .functional.indexing import nonzero as nonzero
from .functional.indexing import scatter as scatter
from .functional.indexing import scatter_add as scatter_add
from .functional.indexing import take as take
from .functional.indexing import take_along_dim as take_along_dim
from .functional.joining import cat as cat
from .functional.joining import chunk as chunk
from .functional.joining import concat as concat
from .functional.joining import concatenate as concatenate
from .functional.joining import narrow as narrow
from .functional.joining import repeat_interleave as repeat_interleave
from .functional.joining import roll as roll
from .functional.joining import select as select
from .functional.joining import split as split
from .functional.joining import split_with_sizes as split_with_sizes
from .functional.joining import stack as stack
from .functional.joining import tensor_split as tensor_split
from .functional.joining import tile as tile
from .functional.joining import unbind as unbind
from .functional.linear_algebra import *
from .functional.normalization import batch_norm as batch_norm
from .functional.normalization import group_norm as group_norm
from .functional.normalization import instance_norm as instance_norm
from .functional.normalization import layer_norm as layer_norm
from .functional.normalization import rms_norm as rms_norm
from .functional.out import with_exact_out as _with_exact_out
from .functional.out import with_out as _with_out
from .functional.patches import channel_shuffle as channel_shuffle
from .functional.patches import pixel_shuffle as pixel_shuffle
from .functional.patches import pixel_unshuffle as pixel_unshuffle
from .functional.pooling import adaptive_avg_pool1d as adaptive_avg_pool1d
from .functional.pooling import adaptive_max_pool1d as adaptive_max_pool1d
from .functional.pooling import avg_pool1d as avg_pool1d
from .functional.pooling import max_pool1d as max_pool1d
from .functional.pooling import max_pool2d as max_pool2d
from .functional.pooling import max_pool3d as max_pool3d
from .functional.promote import broadcast_shapes as broadcast_shapes
from .functional.promote import result_type as result_type
from .functional.reduction import *
from .functional.regression import (
    binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
)
from .functional.regression import hinge_embedding_loss as hinge_embedding_loss
from .functional.regression import kl_div as kl_div
from .functional.regression import margin_ranking_loss as margin_ranking_loss
from .functional.regression import poisson_nll_loss as poisson_nll_loss
from .functional.running import *
from .functional.scattering import *
from .functional.segments import *
from .functional.shape import *
from .functional.solving import cholesky_inverse as cholesky_inverse
from .functional.solving import cholesky_solve as cholesky_solve
from .functional.solving import det as det
from .functional.solving import inverse as inverse
from .functional.solving import logdet as logdet
from .functional.solving import matrix_exp as matrix_exp
from .functional.solving import matrix_power as matrix_power
from .functional.solving import slogdet as slogdet
from .functional.solving import triangular_solve as triangular_solve
from .functional.sorting import *
from .functional.special import i0 as i0
from .functional.special import igamma as igamma
from .functional.special import igammac as igammac
from .functional.special import mvlgamma as mvlgamma
from .functional.special import polygamma as polygamma
from .functional.spectral import pinverse as pinverse
from .functional.spectrogram import istft as istft
from .functional.spectrogram import stft as stft
from .functional.stacking import *
from .functional.standard import *
from .functional.statistics import *
from .functional.strides import *
from .functional.unary import *

# gradients
from .grad_mode import enable_grad as enable_grad
from .grad_mode import inference_mode as inference_mode
from .grad_mode import is_grad_enabled as is_grad_enabled
from .grad_mode import is_inference_mode_enabled as is_inference_mode_enabled
from .grad_mode import no_grad as no_grad
from .grad_mode import set_grad_enabled as set_grad_enabled
from .limits import finfo as finfo
from .limits import iinfo as iinfo
from .namespace_info import VERSION as __array_api_version__
from .namespace_info import namespace_info as __array_namespace_info__
from .serialize import CheckpointError as CheckpointError
from .serialize import load as load
from .serialize import load_file as load_file
from .serialize import save as save
from .serialize import save_file as save_file
from .signal.windows import bartlett_window as bartlett_window
from .signal.windows import blackman_window as blackman_window
from .signal.windows import hamming_window as hamming_window
from .signal.windows import hann_window as hann_window
from .signal.windows import kaiser_window as kaiser_window
from .switches import are_deterministic_algorithms_enabled as are_deterministic_algorithms_enabled
from .switches import get_float32_matmul_precision as get_float32_matmul_precision
from .switches import set_float32_matmul_precision as set_float32_matmul_precision
from .switches import set_flush_denormal as set_flush_denormal
from .switches import use_deterministic_algorithms as use_deterministic_algorithms
from .tensor import Tensor as Tensor
from .tensors import methods as tensor_methods
from .tensors.exchange import asarray as asarray
from .tensors.exchange import from_dlpack as from_dlpack
from .tensors.exchange import frombuffer as frombuffer
from .tensors.exchange import to_dlpack as to_dlpack
from .tensors.history import detach as detach
from .tensors.layout import is_complex as is_complex
from .tensors.layout import is_floating_point as is_floating_point
from .tensors.printing import set_printoptions as set_printoptions
from .tensors.size import Size as Size
from .typed import BFloat16Tensor as BFloat16Tensor
from .typed import BoolTensor as BoolTensor
from .typed import ByteTensor as ByteTensor
from .typed import CharTensor as CharTensor
from .typed import ComplexDoubleTensor as ComplexDoubleTensor
from .typed import ComplexFloatTensor as ComplexFloatTensor
from .typed import DoubleTensor as DoubleTensor
from .typed import FloatTensor as FloatTensor
from .typed import HalfTensor as HalfTensor
from .typed import IntTensor as IntTensor
from .typed import LongTensor as LongTensor
from .typed import ShortTensor as ShortTensor
from .typed import set_default_tensor_type as set_default_tensor_type

newaxis = None
strided = "strided"
sparse_coo = "sparse_coo"
sparse_csr = "sparse_csr"
jagged = "jagged"
channels_last = "channels_last"
channels_last_3d = "channels_last_3d"
contiguous_format = "contiguous_format"
preserve_format = "preserve_format"
layout = memory_format = str  # what the words above are, for annotations

absent.install()
other_names.install()

# PyTorch keeps these in a module of the compiler's name; here that is the folder of the compiler.
compiler.is_compiling = compiling.is_compiling
compiler.is_dynamo_compiling = compiling.is_dynamo_compiling
compiler.allow_in_graph = compiling.allow_in_graph
compiler.cudagraph_mark_step_begin = compiling.cudagraph_mark_step_begin
compiler.disable = compiling.disable
compiler.reset = compiling.reset
compiler.compile = compile


# Functions that make tensors can write them into one that exists.
_MAKING = (
    "arange", "bernoulli", "empty", "eye", "full", "linspace", "logspace", "normal",
    "ones", "rand", "randint", "randn", "randperm", "zeros",
)  # fmt: skip
globals().update({name: _with_out(globals()[name]) for name in _MAKING})
multinomial = _with_exact_out(multinomial)
globals().update({name: getattr(Tensor, name) for name in tensor_methods.OVERWRITING})
keywords.install(globals())


_LATER = (
    "_dynamo _inductor distributions func hub masked multiprocessing serialization sparse special "
    "testing types".split()
)
_FOUND_LATER = {
    "vmap": "func", "sparse_coo_tensor": "sparse", "sparse_csr_tensor": "sparse", "spmm": "sparse",
    **dict.fromkeys("lobpcg pca_lowrank svd_lowrank".split(), "functional.low_rank"),
    **dict.fromkeys("celu_ pdist rrelu rrelu_ selu_ threshold_".split(), "functional"),
    **dict.fromkeys(
        "_assert _check binomial cond constant_pad_nd ctc_loss detach get_autocast_gpu_dtype "
        "get_device get_num_interop_threads grid_sampler grid_sampler_2d grid_sampler_3d gru_cell "
        "is_nonzero is_same_size is_signed lstm_cell native_batch_norm native_dropout "
        "native_group_norm native_layer_norm numel poisson range rnn_relu_cell rnn_tanh_cell "
        "set_num_interop_threads typename".split(),
        "flat_names",
    ),
}  # fmt: skip


def __getattr__(name: str) -> object:
    """Import what few programs want; else say which name is nearest to one that does not exist."""
    from importlib import import_module

    if name in _LATER:
        return import_module(f"jitnet.{name}")
    if name in _FOUND_LATER:
        return getattr(import_module(f"jitnet.{_FOUND_LATER[name]}"), name)
    if name.startswith("_foreach_"):
        functions = import_module("jitnet.foreach").FUNCTIONS
        if name in functions:
            return functions[name]
    from difflib import get_close_matches

    near = get_close_matches(name, globals(), n=1, cutoff=0.5)
    hint = f"; did you mean jitnet.{near[0]}?" if near else ""
    raise AttributeError(f"module 'jitnet' has no attribute {name!r}{hint}")
