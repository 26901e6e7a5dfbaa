"""The networks: sizes, parameters under PyTorch's names, and what their forward passes multiply.

Each record has
    inputs      shape of one input          vocabulary  what inputs index; 0 where they are numbers
    outputs     shape of one output         tables      parameters of which only a few rows are read
    shapes()    of all parameters, by name
    products()  the floating-point operations of each product, for one input, first to last
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

Shapes = dict[str, tuple[int, ...]]


def _linear(name: str, inputs: int, outputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _convolution(name: str, inputs: int, outputs: int, size: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs, size, size)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


@dataclass(frozen=True)
class Mlp:
    """Linear layers with an activation between them."""

    widths: tuple[int, ...]
    activation: str = "relu"  # or "gelu", the exact one
    vocabulary: ClassVar = 0
    tables: ClassVar[tuple[str, ...]] = ()

    @property
    def inputs(self) -> tuple[int, ...]:
        return self.widths[:1]

    @property
    def outputs(self) -> tuple[int, ...]:
        return self.widths[-1:]

    def shapes(self) -> Shapes:
        shapes: Shapes = {}
        for layer, (inputs, outputs) in enumerate(pairwise(self.widths)):
            shapes |= _linear(str(2 * layer), inputs, outputs)
        return shapes

    def products(self) -> list[float]:
        return [2 * inputs * outputs for inputs, outputs in pairwise(self.widths)]


@dataclass(frozen=True)
class LeNet:
    """LeNet for 32 x 32 images in three colours, as in PyTorch's CIFAR-10 tutorial."""

    inputs: ClassVar = (3, 32, 32)
    outputs: ClassVar = (10,)
    vocabulary: ClassVar = 0
    tables: ClassVar[tuple[str, ...]] = ()

    def shapes(self) -> Shapes:
        return {
            **_convolution("c1", 3, 6, 5),
            "c1.bias": (6,),
            **_convolution("c2", 6, 16, 5),
            "c2.bias": (16,),
            **_linear("f1", 400, 120),
            **_linear("f2", 120, 84),
            **_linear("f3", 84, 10),
        }

    def products(self) -> list[float]:
        convolutions = [2 * 28 * 28 * 6 * 75, 2 * 10 * 10 * 16 * 150]
        return [*convolutions, 2 * 400 * 120, 2 * 120 * 84, 2 * 84 * 10]


@dataclass(frozen=True)
class ResNet18:
    """ResNet-18: with 3 x 3 filters first and 10 classes for small images, else as for ImageNet."""

    small: bool
    vocabulary: ClassVar = 0
    tables: ClassVar[tuple[str, ...]] = ()
    blocks: ClassVar = (  # inputs, outputs, stride
        *((64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1)),
        *((128, 256, 2), (256, 256, 1), (256, 512, 2), (512, 512, 1)),
    )

    @property
    def inputs(self) -> tuple[int, ...]:
        return (3, 32, 32) if self.small else (3, 224, 224)

    @property
    def outputs(self) -> tuple[int, ...]:
        return (10,) if self.small else (1000,)

    @property
    def stem(self) -> tuple[int, int, int]:
        """Filter size, stride and padding of the first convolution."""
        return (3, 1, 1) if self.small else (7, 2, 3)

    def shapes(self) -> Shapes:
        shapes = _convolution("conv1", 3, 64, self.stem[0]) | _norm("bn1", 64)
        for number, (inputs, outputs, stride) in enumerate(self.blocks):
            block = f"layers.{number}"
            shapes |= _convolution(f"{block}.conv1", inputs, outputs, 3)
            shapes |= _convolution(f"{block}.conv2", outputs, outputs, 3)
            shapes |= _norm(f"{block}.bn1", outputs) | _norm(f"{block}.bn2", outputs)
            if stride > 1:
                shapes |= _convolution(f"{block}.down.0", inputs, outputs, 1)
                shapes |= _norm(f"{block}.down.1", outputs)
        return shapes | _linear("fc", 512, *self.outputs)

    def products(self) -> list[float]:
        size, stride, _ = self.stem
        side = self.inputs[-1] // stride
        found = [2 * side * side * 64 * 3 * size * size]
        side = side if self.small else side // 2  # a max pool
        for inputs, outputs, stride in self.blocks:
            side //= stride
            found += [2 * side * side * outputs * count * 9 for count in (inputs, outputs)]
            found += [2 * side * side * outputs * inputs] * (stride > 1)
        return [*found, 2 * 512 * self.outputs[0]]


@dataclass(frozen=True)
class Transformer:
    """An encoder over tokens, and a linear layer that gives each place its next token's logits."""

    vocabulary: int = 1000
    width: int = 256
    heads: int = 4
    hidden: int = 1024
    layers: int = 2
    length: int = 128
    tables: ClassVar = ("emb.weight",)

    @property
    def inputs(self) -> tuple[int, ...]:
        return (self.length,)

    @property
    def outputs(self) -> tuple[int, ...]:
        return (self.length, self.vocabulary)

    def shapes(self) -> Shapes:
        width = self.width
        shapes: Shapes = {"emb.weight": (self.vocabulary, width)}
        for number in range(self.layers):
            layer = f"layers.{number}"
            shapes[f"{layer}.self_attn.in_proj_weight"] = (3 * width, width)
            shapes[f"{layer}.self_attn.in_proj_bias"] = (3 * width,)
            shapes |= _linear(f"{layer}.self_attn.out_proj", width, width)
            shapes |= _linear(f"{layer}.linear1", width, self.hidden)
            shapes |= _linear(f"{layer}.linear2", self.hidden, width)
            shapes |= _norm(f"{layer}.norm1", width) | _norm(f"{layer}.norm2", width)
        return shapes | _linear("head", width, self.vocabulary)

    def products(self) -> list[float]:
        weights = 4 * self.width**2 + 2 * self.width * self.hidden
        layer = 2 * self.length * (weights + 2 * self.length * self.width)
        return [layer] * self.layers + [2 * self.length * self.width * self.vocabulary]


@dataclass(frozen=True)
class Lstm:
    """One layer of long short-term memory; all its states are the output."""

    features: int = 128
    width: int = 256
    length: int = 64
    vocabulary: ClassVar = 0
    tables: ClassVar[tuple[str, ...]] = ()

    @property
    def inputs(self) -> tuple[int, ...]:
        return (self.length, self.features)

    @property
    def outputs(self) -> tuple[int, ...]:
        return (self.length, self.width)

    def shapes(self) -> Shapes:
        gates = 4 * self.width
        return {
            "lstm.weight_ih_l0": (gates, self.features),
            "lstm.weight_hh_l0": (gates, self.width),
            "lstm.bias_ih_l0": (gates,),
            "lstm.bias_hh_l0": (gates,),
        }

    def products(self) -> list[float]:
        gates = 4 * self.width
        return [2 * self.length * gates * self.features, 2 * self.length * gates * self.width]


@dataclass(frozen=True)
class Gpt2:
    """GPT-2 with 124 million parameters; its output is the logits after the last token."""

    length: int = 128
    vocabulary: int = 50257
    width: int = 768
    heads: int = 12
    layers: int = 12
    positions: int = 1024
    tables: ClassVar = ("wpe.weight",)  # wte is read whole: it makes the logits too

    @property
    def inputs(self) -> tuple[int, ...]:
        return (self.length,)

    @property
    def outputs(self) -> tuple[int, ...]:
        return (self.vocabulary,)

    def shapes(self) -> Shapes:
        width = self.width
        shapes: Shapes = {
            "wte.weight": (self.vocabulary, width),
            "wpe.weight": (self.positions, width),
        }
        for number in range(self.layers):
            block = f"h.{number}"
            shapes |= _norm(f"{block}.ln1", width) | _norm(f"{block}.ln2", width)
            shapes |= _linear(f"{block}.qkv", width, 3 * width)
            shapes |= _linear(f"{block}.proj", width, width)
            shapes |= _linear(f"{block}.fc", width, 4 * width)
            shapes |= _linear(f"{block}.out", 4 * width, width)
        return shapes | _norm("lnf", width)

    def products(self) -> list[float]:
        seen = (self.length + 1) / 2  # on average a token attends to half of them
        return self.token_products(self.length, seen)

    def token_products(self, tokens: int, seen: float) -> list[float]:
        """Return the operations for so many tokens, each attending to `seen` tokens."""
        layer = 2 * tokens * (12 * self.width**2 + 2 * seen * self.width)
        return [layer] * self.layers + [2 * self.width * self.vocabulary]


Network = Mlp | LeNet | ResNet18 | Transformer | Lstm | Gpt2
