"""A convolution or linear layer with the batch norm after it as one layer, for evaluation."""

from __future__ import annotations

import copy

import jitnet.functional as F
from jitnet import creation
from jitnet.tensor import Tensor

from ..conv import _Convolution
from ..linear import Linear
from ..module import Module
from ..parameter import Parameter


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """Return weight and bias of the convolution that does what both layers do."""
    bias = creation.zeros_like(bn_rm) if conv_b is None else conv_b
    scale = F.rsqrt(bn_rv + bn_eps) * (1.0 if bn_w is None else bn_w)
    shape = [1] * conv_w.dim()
    shape[1 if transpose else 0] = -1
    shifted = (bias - bn_rm) * scale + (0.0 if bn_b is None else bn_b)
    weight = conv_w * scale.reshape(shape)
    learned = conv_w.requires_grad
    return Parameter(weight.detach(), learned), Parameter(shifted.detach(), learned)


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor,
    bn_b: Tensor,
) -> tuple[Parameter, Parameter]:
    """Return weight and bias of the linear layer that does what both layers do."""
    return fuse_conv_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)


def _fused(layer: Module, norm: Module, transpose: bool) -> Module:
    if layer.training or norm.training:
        raise AssertionError("Fusion only for eval: call .eval() on both layers first")
    made = copy.deepcopy(layer)
    made.weight, made.bias = fuse_conv_bn_weights(
        layer.weight,
        layer.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
        transpose,
    )
    return made


def fuse_conv_bn_eval(conv: _Convolution, bn: Module, transpose: bool = False) -> Module:
    """Return one convolution that does what both layers do in evaluation."""
    return _fused(conv, bn, transpose)


def fuse_linear_bn_eval(linear: Linear, bn: Module) -> Module:
    """Return one linear layer that does what both layers do in evaluation."""
    return _fused(linear, bn, False)
