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

from . import absent, capture, compiling, keywords, other_names, tape, tensor_methods
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

# errors and printing
from .errors import CompileError as CompileError
from .errors import DTypeError as DTypeError
from .errors import ShapeError as ShapeError
from .exchange import asarray as asarray
from .exchange import from_dlpack as from_dlpack
from .exchange import frombuffer as frombuffer
from .exchange import to_dlpack as to_dlpack
from .functional.activation import celu as celu
from .functional.activation import hardshrink as hardshrink
from .functional.activation import log_softmax as log_softmax
from .functional.activation import prelu as prelu
from .functional.activation import relu as relu
from .functional.activation import relu_ as relu_
from .functional.activation import selu as selu
from .functional.activation import softmax as softmax
from .functional.activation import threshold as threshold
from .functional.arithmetic import add as add
from .functional.arithmetic import addcdiv as addcdiv
from .functional.arithmetic import addcmul as addcmul
from .functional.arithmetic import arctan2 as arctan2
from .functional.arithmetic import atan2 as atan2
from .functional.arithmetic import bitwise_and as bitwise_and
from .functional.arithmetic import bitwise_left_shift as bitwise_left_shift
from .functional.arithmetic import bitwise_or as bitwise_or
from .functional.arithmetic import bitwise_right_shift as bitwise_right_shift
from .functional.arithmetic import bitwise_xor as bitwise_xor
from .functional.arithmetic import div as div
from .functional.arithmetic import divide as divide
from .functional.arithmetic import eq as eq
from .functional.arithmetic import floor_divide as floor_divide
from .functional.arithmetic import fmod as fmod
from .functional.arithmetic import frac as frac
from .functional.arithmetic import ge as ge
from .functional.arithmetic import greater as greater
from .functional.arithmetic import greater_equal as greater_equal
from .functional.arithmetic import gt as gt
from .functional.arithmetic import hypot as hypot
from .functional.arithmetic import le as le
from .functional.arithmetic import lerp as lerp
from .functional.arithmetic import less as less
from .functional.arithmetic import less_equal as less_equal
from .functional.arithmetic import logical_and as logical_and
from .functional.arithmetic import logical_or as logical_or
from .functional.arithmetic import logical_xor as logical_xor
from .functional.arithmetic import lt as lt
from .functional.arithmetic import maximum as maximum
from .functional.arithmetic import minimum as minimum
from .functional.arithmetic import mul as mul
from .functional.arithmetic import multiply as multiply
from .functional.arithmetic import ne as ne
from .functional.arithmetic import not_equal as not_equal
from .functional.arithmetic import pow as pow
from .functional.arithmetic import remainder as remainder
from .functional.arithmetic import rsub as rsub
from .functional.arithmetic import sub as sub
from .functional.arithmetic import subtract as subtract
from .functional.arithmetic import true_divide as true_divide
from .functional.chains import chain_matmul as chain_matmul
from .functional.chains import vander as vander
from .functional.choice import allclose as allclose
from .functional.choice import clamp as clamp
from .functional.choice import clamp_max as clamp_max
from .functional.choice import clamp_min as clamp_min
from .functional.choice import clip as clip
from .functional.choice import copysign as copysign
from .functional.choice import equal as equal
from .functional.choice import fmax as fmax
from .functional.choice import fmin as fmin
from .functional.choice import heaviside as heaviside
from .functional.choice import isclose as isclose
from .functional.choice import isneginf as isneginf
from .functional.choice import isposinf as isposinf
from .functional.choice import logaddexp as logaddexp
from .functional.choice import logit as logit
from .functional.choice import nan_to_num as nan_to_num
from .functional.choice import signbit as signbit
from .functional.choice import sinc as sinc
from .functional.choice import where as where
from .functional.choice import xlogy as xlogy
from .functional.complex_numbers import adjoint as adjoint
from .functional.complex_numbers import angle as angle
from .functional.complex_numbers import complex as complex
from .functional.complex_numbers import conj as conj
from .functional.complex_numbers import conj_physical as conj_physical
from .functional.complex_numbers import imag as imag
from .functional.complex_numbers import is_conj as is_conj
from .functional.complex_numbers import is_neg as is_neg
from .functional.complex_numbers import isreal as isreal
from .functional.complex_numbers import polar as polar
from .functional.complex_numbers import real as real
from .functional.complex_numbers import resolve_conj as resolve_conj
from .functional.complex_numbers import resolve_neg as resolve_neg
from .functional.complex_numbers import view_as_complex as view_as_complex
from .functional.complex_numbers import view_as_real as view_as_real
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
from .functional.diagonals import diag as diag
from .functional.diagonals import diag_embed as diag_embed
from .functional.diagonals import diagflat as diagflat
from .functional.diagonals import diagonal as diagonal
from .functional.diagonals import trace as trace
from .functional.diagonals import tril as tril
from .functional.diagonals import tril_indices as tril_indices
from .functional.diagonals import triu as triu
from .functional.diagonals import triu_indices as triu_indices
from .functional.differences import *
from .functional.distance import cosine_embedding_loss as cosine_embedding_loss
from .functional.distance import cosine_similarity as cosine_similarity
from .functional.distance import pairwise_distance as pairwise_distance
from .functional.distance import triplet_margin_loss as triplet_margin_loss
from .functional.dropout import alpha_dropout as alpha_dropout
from .functional.dropout import dropout as dropout
from .functional.embedding import embedding as embedding
from .functional.exponents import *
from .functional.factors import cholesky as cholesky
from .functional.factors import geqrf as geqrf
from .functional.factors import lu as lu
from .functional.factors import lu_solve as lu_solve
from .functional.factors import lu_unpack as lu_unpack
from .functional.factors import orgqr as orgqr
from .functional.factors import ormqr as ormqr
from .functional.factors import qr as qr
from .functional.factors import svd as svd
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
from .functional.linear_algebra import addbmm as addbmm
from .functional.linear_algebra import addmm as addmm
from .functional.linear_algebra import addmv as addmv
from .functional.linear_algebra import addr as addr
from .functional.linear_algebra import baddbmm as baddbmm
from .functional.linear_algebra import bmm as bmm
from .functional.linear_algebra import cdist as cdist
from .functional.linear_algebra import cross as cross
from .functional.linear_algebra import dot as dot
from .functional.linear_algebra import ger as ger
from .functional.linear_algebra import inner as inner
from .functional.linear_algebra import kron as kron
from .functional.linear_algebra import matmul as matmul
from .functional.linear_algebra import mm as mm
from .functional.linear_algebra import mv as mv
from .functional.linear_algebra import outer as outer
from .functional.linear_algebra import tensordot as tensordot
from .functional.linear_algebra import vdot as vdot
from .functional.normalization import batch_norm as batch_norm
from .functional.normalization import group_norm as group_norm
from .functional.normalization import instance_norm as instance_norm
from .functional.normalization import layer_norm as layer_norm
from .functional.normalization import rms_norm as rms_norm
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
from .functional.reduction import all as all
from .functional.reduction import amax as amax
from .functional.reduction import amin as amin
from .functional.reduction import aminmax as aminmax
from .functional.reduction import any as any
from .functional.reduction import argmax as argmax
from .functional.reduction import argmin as argmin
from .functional.reduction import count_nonzero as count_nonzero
from .functional.reduction import logsumexp as logsumexp
from .functional.reduction import max as max
from .functional.reduction import mean as mean
from .functional.reduction import min as min
from .functional.reduction import nansum as nansum
from .functional.reduction import norm as norm
from .functional.reduction import prod as prod
from .functional.reduction import std as std
from .functional.reduction import std_mean as std_mean
from .functional.reduction import sum as sum
from .functional.reduction import var as var
from .functional.reduction import var_mean as var_mean
from .functional.regression import (
    binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
)
from .functional.regression import hinge_embedding_loss as hinge_embedding_loss
from .functional.regression import kl_div as kl_div
from .functional.regression import margin_ranking_loss as margin_ranking_loss
from .functional.regression import poisson_nll_loss as poisson_nll_loss
from .functional.running import *
from .functional.scattering import *
from .functional.shape import broadcast_tensors as broadcast_tensors
from .functional.shape import broadcast_to as broadcast_to
from .functional.shape import flatten as flatten
from .functional.shape import flip as flip
from .functional.shape import fliplr as fliplr
from .functional.shape import flipud as flipud
from .functional.shape import moveaxis as moveaxis
from .functional.shape import movedim as movedim
from .functional.shape import permute as permute
from .functional.shape import ravel as ravel
from .functional.shape import reshape as reshape
from .functional.shape import rot90 as rot90
from .functional.shape import squeeze as squeeze
from .functional.shape import swapaxes as swapaxes
from .functional.shape import swapdims as swapdims
from .functional.shape import t as t
from .functional.shape import transpose as transpose
from .functional.shape import unflatten as unflatten
from .functional.shape import unsqueeze as unsqueeze
from .functional.solving import cholesky_inverse as cholesky_inverse
from .functional.solving import cholesky_solve as cholesky_solve
from .functional.solving import det as det
from .functional.solving import inverse as inverse
from .functional.solving import logdet as logdet
from .functional.solving import matrix_exp as matrix_exp
from .functional.solving import matrix_power as matrix_power
from .functional.solving import slogdet as slogdet
from .functional.solving import triangular_solve as triangular_solve
from .functional.sorting import argsort as argsort
from .functional.sorting import bucketize as bucketize
from .functional.sorting import histc as histc
from .functional.sorting import kthvalue as kthvalue
from .functional.sorting import median as median
from .functional.sorting import mode as mode
from .functional.sorting import msort as msort
from .functional.sorting import nanmedian as nanmedian
from .functional.sorting import nanquantile as nanquantile
from .functional.sorting import quantile as quantile
from .functional.sorting import searchsorted as searchsorted
from .functional.sorting import sort as sort
from .functional.sorting import topk as topk
from .functional.sorting import unique as unique
from .functional.special import i0 as i0
from .functional.special import igamma as igamma
from .functional.special import igammac as igammac
from .functional.special import mvlgamma as mvlgamma
from .functional.special import polygamma as polygamma
from .functional.spectral import pinverse as pinverse
from .functional.spectrogram import istft as istft
from .functional.spectrogram import stft as stft
from .functional.stacking import *
from .functional.standard import astype as astype
from .functional.standard import bitwise_invert as bitwise_invert
from .functional.standard import broadcast_arrays as broadcast_arrays
from .functional.standard import can_cast as can_cast
from .functional.standard import cumulative_prod as cumulative_prod
from .functional.standard import cumulative_sum as cumulative_sum
from .functional.standard import expand_dims as expand_dims
from .functional.standard import isdtype as isdtype
from .functional.standard import matrix_transpose as matrix_transpose
from .functional.standard import permute_dims as permute_dims
from .functional.standard import repeat as repeat
from .functional.standard import take_along_axis as take_along_axis
from .functional.standard import unique_all as unique_all
from .functional.standard import unique_counts as unique_counts
from .functional.standard import unique_inverse as unique_inverse
from .functional.standard import unique_values as unique_values
from .functional.standard import unstack as unstack
from .functional.standard import vecdot as vecdot
from .functional.statistics import *
from .functional.strides import *
from .functional.unary import abs as abs
from .functional.unary import absolute as absolute
from .functional.unary import acos as acos
from .functional.unary import acosh as acosh
from .functional.unary import arccos as arccos
from .functional.unary import arccosh as arccosh
from .functional.unary import arcsin as arcsin
from .functional.unary import arcsinh as arcsinh
from .functional.unary import arctan as arctan
from .functional.unary import arctanh as arctanh
from .functional.unary import asin as asin
from .functional.unary import asinh as asinh
from .functional.unary import atan as atan
from .functional.unary import atanh as atanh
from .functional.unary import bitwise_not as bitwise_not
from .functional.unary import ceil as ceil
from .functional.unary import clone as clone
from .functional.unary import cos as cos
from .functional.unary import cosh as cosh
from .functional.unary import deg2rad as deg2rad
from .functional.unary import erf as erf
from .functional.unary import erfc as erfc
from .functional.unary import erfinv as erfinv
from .functional.unary import exp as exp
from .functional.unary import exp2 as exp2
from .functional.unary import expm1 as expm1
from .functional.unary import fix as fix
from .functional.unary import floor as floor
from .functional.unary import isfinite as isfinite
from .functional.unary import isinf as isinf
from .functional.unary import isnan as isnan
from .functional.unary import log as log
from .functional.unary import log1p as log1p
from .functional.unary import log2 as log2
from .functional.unary import log10 as log10
from .functional.unary import logical_not as logical_not
from .functional.unary import neg as neg
from .functional.unary import negative as negative
from .functional.unary import positive as positive
from .functional.unary import rad2deg as rad2deg
from .functional.unary import reciprocal as reciprocal
from .functional.unary import round as round
from .functional.unary import rsqrt as rsqrt
from .functional.unary import sgn as sgn
from .functional.unary import sigmoid as sigmoid
from .functional.unary import sign as sign
from .functional.unary import sin as sin
from .functional.unary import sinh as sinh
from .functional.unary import sqrt as sqrt
from .functional.unary import square as square
from .functional.unary import tan as tan
from .functional.unary import tanh as tanh
from .functional.unary import trunc as trunc

# gradients
from .grad_mode import enable_grad as enable_grad
from .grad_mode import inference_mode as inference_mode
from .grad_mode import is_grad_enabled as is_grad_enabled
from .grad_mode import is_inference_mode_enabled as is_inference_mode_enabled
from .grad_mode import no_grad as no_grad
from .grad_mode import set_grad_enabled as set_grad_enabled
from .history import detach as detach
from .layout import is_complex as is_complex
from .layout import is_floating_point as is_floating_point
from .limits import finfo as finfo
from .limits import iinfo as iinfo
from .namespace_info import VERSION as __array_api_version__
from .namespace_info import namespace_info as __array_namespace_info__
from .printing import set_printoptions as set_printoptions
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
from .size import Size as Size
from .switches import are_deterministic_algorithms_enabled as are_deterministic_algorithms_enabled
from .switches import get_default_device as get_default_device
from .switches import get_float32_matmul_precision as get_float32_matmul_precision
from .switches import set_default_device as set_default_device
from .switches import set_float32_matmul_precision as set_float32_matmul_precision
from .switches import set_flush_denormal as set_flush_denormal
from .switches import use_deterministic_algorithms as use_deterministic_algorithms
from .tensor import Tensor as Tensor
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
    "arange", "bernoulli", "empty", "eye", "full", "linspace", "logspace", "multinomial", "normal",
    "ones", "rand", "randint", "randn", "randperm", "zeros",
)  # fmt: skip
globals().update({name: _with_out(globals()[name]) for name in _MAKING})
globals().update({name: getattr(Tensor, name) for name in tensor_methods.OVERWRITING})
keywords.install(globals())


_LATER = (
    "_dynamo _inductor distributions func hub masked multiprocessing serialization sparse special "
    "testing types".split()
)
_FOUND_LATER = {
    "vmap": "func", "sparse_coo_tensor": "sparse", "sparse_csr_tensor": "sparse", "spmm": "sparse",
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
