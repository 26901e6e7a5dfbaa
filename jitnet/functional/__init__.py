"""What users call: plain functions over ops, by family; gradients and compiled forms come free."""

# fmt: off
from .activation import (
    celu,
    elu,
    gelu,
    glu,
    gumbel_softmax,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    log_softmax,
    logsigmoid,
    mish,
    normalize,
    prelu,
    relu,
    relu6,
    relu_,
    rrelu,
    selu,
    silu,
    softmax,
    softmin,
    softplus,
    softshrink,
    softsign,
    tanhshrink,
    threshold,
)
from .arithmetic import *
from .arithmetic import left_shift, right_shift
from .attention import (
    scaled_dot_product_attention,
)
from .chains import chain_matmul, vander
from .choice import *
from .complex_numbers import *
from .contraction import bilinear, einsum
from .convolution import (
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)
from .copies import *
from .counting import *
from .ctc import ctc_loss
from .diagonals import *
from .differences import *
from .distance import (
    cosine_embedding_loss,
    cosine_similarity,
    pairwise_distance,
    pdist,
    triplet_margin_loss,
)
from .dropout import (
    alpha_dropout,
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    feature_alpha_dropout,
)
from .embedding import (
    embedding,
    embedding_bag,
)
from .exponents import *
from .factors import *
from .gamma import digamma, lgamma
from .grids import *
from .histograms import *
from .indexing import (
    argwhere,
    bincount,
    gather,
    index_add,
    index_copy,
    index_fill,
    index_put,
    index_select,
    isin,
    masked_fill,
    masked_scatter,
    masked_select,
    nonzero,
    one_hot,
    scatter,
    scatter_add,
    take,
    take_along_dim,
)
from .inplace import celu_, elu_, hardtanh_, leaky_relu_, rrelu_, selu_, threshold_
from .joining import (
    cat,
    chunk,
    concat,
    concatenate,
    narrow,
    repeat,
    repeat_interleave,
    roll,
    select,
    split,
    split_with_sizes,
    stack,
    tensor_split,
    tile,
    unbind,
)
from .linear_algebra import *
from .linear_algebra import linear
from .loss import (
    cross_entropy,
    linear_cross_entropy,
    nll_loss,
)
from .margins import (
    multi_margin_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    triplet_margin_with_distance_loss,
)
from .multihead import (
    multi_head_attention_forward,
)
from .normalization import (
    batch_norm,
    group_norm,
    instance_norm,
    layer_norm,
    local_response_norm,
    rms_norm,
)
from .padding import (
    pad,
)
from .patches import (
    channel_shuffle,
    fold,
    pixel_shuffle,
    pixel_unshuffle,
    unfold,
)
from .pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    max_pool1d,
    max_pool2d,
    max_pool3d,
)
from .power_pooling import (
    fractional_max_pool2d,
    fractional_max_pool3d,
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
)
from .reduction import *
from .regression import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    gaussian_nll_loss,
    hinge_embedding_loss,
    huber_loss,
    kl_div,
    l1_loss,
    margin_ranking_loss,
    mse_loss,
    poisson_nll_loss,
    smooth_l1_loss,
    soft_margin_loss,
)
from .resize import (
    interpolate,
    upsample,
    upsample_bilinear,
    upsample_nearest,
)
from .running import *
from .sampling import (
    affine_grid,
    grid_sample,
)
from .scattering import *
from .segments import *
from .shape import *
from .shape import expand, expand_as, view
from .solving import (
    cholesky_inverse,
    cholesky_solve,
    det,
    inverse,
    logdet,
    matrix_exp,
    matrix_power,
    slogdet,
    solve_triangular,
    triangular_solve,
)
from .sorting import *
from .special import i0, igamma, igammac, mvlgamma, polygamma
from .spectral import pinverse
from .spectrogram import istft, stft
from .stacking import *
from .statistics import *
from .strides import *
from .unary import *
from .unary import expit
from .unpooling import max_unpool1d, max_unpool2d, max_unpool3d

__all__ = [name for name, value in globals().items() if callable(value) and name[0] != "_"]
