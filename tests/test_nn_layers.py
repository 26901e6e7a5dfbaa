"""Layers: the same state, results and gradients as PyTorch's, and errors of their own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import nn

# (name of the layer, constructor arguments, input shape)
LAYERS: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("Linear", {"in_features": 5, "out_features": 3}, (2, 4, 5)),
    ("Linear", {"in_features": 5, "out_features": 3, "bias": False}, (5,)),
    ("Flatten", {}, (2, 3, 4)),
    ("Unflatten", {"dim": 1, "unflattened_size": (2, 3)}, (2, 6)),
    ("Identity", {}, (2, 3)),
    ("Conv1d", {"in_channels": 2, "out_channels": 3, "kernel_size": 3, "padding": 1}, (2, 2, 7)),
    ("Conv2d", {"in_channels": 2, "out_channels": 4, "kernel_size": 3, "groups": 2}, (2, 2, 6, 5)),
    (
        "Conv2d",
        {
            "in_channels": 2,
            "out_channels": 3,
            "kernel_size": (3, 2),
            "stride": 2,
            "padding": (1, 0),
            "dilation": (1, 2),
            "bias": False,
        },
        (2, 2, 7, 8),
    ),
    (
        "Conv2d",
        {"in_channels": 1, "out_channels": 2, "kernel_size": 3, "padding": "same"},
        (2, 1, 6, 6),
    ),
    (
        "Conv2d",
        {
            "in_channels": 1,
            "out_channels": 2,
            "kernel_size": 3,
            "padding": 2,
            "padding_mode": "reflect",
        },
        (1, 1, 5, 5),
    ),
    (
        "Conv2d",
        {
            "in_channels": 1,
            "out_channels": 2,
            "kernel_size": 3,
            "padding": 1,
            "padding_mode": "circular",
        },
        (1, 1, 5, 5),
    ),
    ("Conv3d", {"in_channels": 1, "out_channels": 2, "kernel_size": 2}, (1, 1, 3, 4, 3)),
    (
        "ConvTranspose1d",
        {"in_channels": 2, "out_channels": 3, "kernel_size": 3, "stride": 2},
        (2, 2, 4),
    ),
    (
        "ConvTranspose2d",
        {
            "in_channels": 4,
            "out_channels": 2,
            "kernel_size": 3,
            "stride": 2,
            "padding": 1,
            "output_padding": 1,
            "groups": 2,
        },
        (2, 4, 3, 4),
    ),
    ("ConvTranspose3d", {"in_channels": 1, "out_channels": 2, "kernel_size": 2}, (1, 1, 2, 3, 2)),
    ("MaxPool1d", {"kernel_size": 2}, (2, 3, 6)),
    ("MaxPool2d", {"kernel_size": 3, "stride": 2, "padding": 1}, (2, 3, 7, 6)),
    ("MaxPool2d", {"kernel_size": 2, "ceil_mode": True}, (1, 2, 5, 5)),
    ("MaxPool3d", {"kernel_size": 2}, (1, 2, 4, 4, 4)),
    ("AvgPool1d", {"kernel_size": 3, "stride": 2, "padding": 1}, (2, 3, 6)),
    ("AvgPool2d", {"kernel_size": 2}, (2, 3, 6, 7)),
    ("AvgPool2d", {"kernel_size": 3, "padding": 1, "count_include_pad": False}, (2, 3, 6, 7)),
    ("AvgPool3d", {"kernel_size": 2}, (1, 2, 4, 4, 4)),
    ("AdaptiveAvgPool1d", {"output_size": 3}, (2, 3, 7)),
    ("AdaptiveAvgPool2d", {"output_size": (2, None)}, (2, 3, 7, 5)),
    ("AdaptiveAvgPool2d", {"output_size": 1}, (2, 3, 7, 5)),
    ("AdaptiveMaxPool2d", {"output_size": 2}, (2, 3, 7, 5)),
    ("BatchNorm1d", {"num_features": 3}, (4, 3)),
    ("BatchNorm1d", {"num_features": 3, "momentum": None}, (4, 3, 5)),
    ("BatchNorm2d", {"num_features": 3, "eps": 1e-3, "momentum": 0.3}, (4, 3, 5, 2)),
    (
        "BatchNorm2d",
        {"num_features": 3, "affine": False, "track_running_stats": False},
        (4, 3, 5, 2),
    ),
    ("BatchNorm3d", {"num_features": 2}, (2, 2, 3, 2, 2)),
    ("InstanceNorm1d", {"num_features": 3}, (2, 3, 5)),
    (
        "InstanceNorm2d",
        {"num_features": 3, "affine": True, "track_running_stats": True},
        (2, 3, 4, 5),
    ),
    ("LayerNorm", {"normalized_shape": 5}, (3, 5)),
    ("LayerNorm", {"normalized_shape": (4, 5), "bias": False}, (3, 4, 5)),
    ("LayerNorm", {"normalized_shape": 5, "elementwise_affine": False}, (3, 5)),
    ("GroupNorm", {"num_groups": 2, "num_channels": 4}, (3, 4, 5)),
    ("RMSNorm", {"normalized_shape": 5}, (3, 5)),
    ("Dropout", {"p": 0.0}, (3, 5)),
    ("ReLU", {}, (3, 5)),
    ("ReLU6", {}, (3, 5)),
    ("SiLU", {}, (3, 5)),
    ("Mish", {}, (3, 5)),
    ("SELU", {}, (3, 5)),
    ("CELU", {"alpha": 1.5}, (3, 5)),
    ("ELU", {"alpha": 1.5}, (3, 5)),
    ("GELU", {}, (3, 5)),
    ("GELU", {"approximate": "tanh"}, (3, 5)),
    ("Hardswish", {}, (3, 5)),
    ("Hardsigmoid", {}, (3, 5)),
    ("Hardtanh", {"min_val": -0.5, "max_val": 0.7}, (3, 5)),
    ("Hardshrink", {}, (3, 5)),
    ("Softshrink", {}, (3, 5)),
    ("LeakyReLU", {"negative_slope": 0.2}, (3, 5)),
    ("PReLU", {"num_parameters": 3}, (2, 3, 5)),
    ("Sigmoid", {}, (3, 5)),
    ("LogSigmoid", {}, (3, 5)),
    ("Tanh", {}, (3, 5)),
    ("Tanhshrink", {}, (3, 5)),
    ("Softsign", {}, (3, 5)),
    ("Softplus", {"beta": 2.0}, (3, 5)),
    ("Threshold", {"threshold": 0.1, "value": -2.0}, (3, 5)),
    ("GLU", {}, (3, 6)),
    ("Softmax", {"dim": 1}, (3, 5)),
    ("LogSoftmax", {"dim": -1}, (3, 5)),
    ("Softmin", {"dim": 0}, (3, 5)),
    ("ZeroPad2d", {"padding": (1, 0, 2, 1)}, (2, 3, 4, 5)),
    ("ConstantPad1d", {"padding": 2, "value": 1.5}, (2, 3, 4)),
    ("ReflectionPad2d", {"padding": (1, 2, 0, 1)}, (2, 3, 4, 5)),
    ("ReplicationPad2d", {"padding": 1}, (2, 3, 4, 5)),
    ("CircularPad1d", {"padding": 2}, (2, 3, 4)),
]
IDS = [f"{name}-{number}" for number, (name, _, _) in enumerate(LAYERS)]


def _pair(torch: Any, name: str, options: dict[str, Any]) -> tuple[Any, Any]:
    """The layer here and in PyTorch, with PyTorch's weights, moved off their special values."""
    theirs = getattr(torch.nn, name)(**options)
    ours = getattr(nn, name)(**options)
    generator = np.random.default_rng(1)
    with torch.no_grad():
        for param in theirs.parameters():
            noise = generator.uniform(-0.3, 0.3, size=tuple(param.shape)).astype(np.float32)
            param.add_(torch.from_numpy(noise))
    state = {
        key: jitnet.from_numpy(value.numpy().copy()) for key, value in theirs.state_dict().items()
    }
    ours.load_state_dict(state)
    return ours, theirs


@pytest.mark.parametrize(("name", "options", "shape"), LAYERS, ids=IDS)
def test_layer_is_as_in_pytorch(name: str, options: dict[str, Any], shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    ours, theirs = _pair(torch, name, options)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    for training in (True, False):
        ours.train(training)
        theirs.train(training)
        x = jitnet.tensor(values, requires_grad=True)
        t = torch.tensor(values, requires_grad=True)
        y, u = ours(x), theirs(t)
        np.testing.assert_allclose(y.detach().numpy(), u.detach().numpy(), rtol=2e-5, atol=2e-6)
        weights = np.random.default_rng(2).normal(size=tuple(u.shape)).astype(np.float32)
        ours.zero_grad()
        theirs.zero_grad()
        (y * jitnet.from_numpy(weights)).sum().backward()
        (u * torch.from_numpy(weights)).sum().backward()
        np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=1e-4, atol=2e-5)
        for param, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            np.testing.assert_allclose(param.grad.numpy(), other.grad.numpy(), rtol=1e-4, atol=2e-5)
        for buffer, other in zip(ours.buffers(), theirs.buffers(), strict=True):
            np.testing.assert_allclose(buffer.numpy(), other.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("MSELoss", {}),
        ("MSELoss", {"reduction": "sum"}),
        ("L1Loss", {"reduction": "none"}),
        ("SmoothL1Loss", {"beta": 0.5}),
        ("HuberLoss", {"delta": 0.7}),
        ("BCELoss", {}),
        ("BCEWithLogitsLoss", {}),
        ("KLDivLoss", {"reduction": "batchmean"}),
    ],
)
def test_elementwise_loss_is_as_in_pytorch(name: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    ours, theirs = getattr(nn, name)(**options), getattr(torch.nn, name)(**options)
    assert repr(ours) == repr(theirs)
    generator = np.random.default_rng(0)
    a, b = (generator.uniform(0.05, 0.95, size=(4, 5)).astype(np.float32) for _ in range(2))
    x, t = jitnet.tensor(a, requires_grad=True), torch.tensor(a, requires_grad=True)
    mine, other = ours(x, jitnet.tensor(b)), theirs(t, torch.tensor(b))
    np.testing.assert_allclose(mine.detach().numpy(), other.detach().numpy(), rtol=1e-5)
    mine.sum().backward()
    other.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [{}, {"reduction": "none"}, {"ignore_index": 1}, {"label_smoothing": 0.1}, {"weighted": True}],
)
def test_cross_entropy_is_as_in_pytorch(options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    options = dict(options)
    values = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    labels = np.array([0, 1, 3, 2, 1, 0])
    ours_options, theirs_options = dict(options), dict(options)
    if options.pop("weighted", False):
        weights = np.array([0.5, 1.0, 2.0, 3.0], np.float32)
        ours_options = {"weight": jitnet.tensor(weights)}
        theirs_options = {"weight": torch.tensor(weights)}
    ours, theirs = nn.CrossEntropyLoss(**ours_options), torch.nn.CrossEntropyLoss(**theirs_options)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    x, t = jitnet.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    mine, other = ours(x, jitnet.tensor(labels)), theirs(t, torch.tensor(labels))
    np.testing.assert_allclose(mine.detach().numpy(), other.detach().numpy(), rtol=1e-5)
    mine.sum().backward()
    other.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=1e-4, atol=1e-6)


def test_embedding_is_as_in_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    ours, theirs = nn.Embedding(6, 3, padding_idx=-1), torch.nn.Embedding(6, 3, padding_idx=-1)
    assert repr(ours) == repr(theirs)
    assert ours.weight[5].tolist() == [0.0, 0.0, 0.0]
    ours.load_state_dict({"weight": jitnet.from_numpy(theirs.weight.detach().numpy().copy())})
    indices = np.array([[0, 5, 2], [2, 2, 1]])
    mine, other = ours(jitnet.tensor(indices)), theirs(torch.tensor(indices))
    np.testing.assert_array_equal(mine.detach().numpy(), other.detach().numpy())
    (mine * mine).sum().backward()
    (other * other).sum().backward()
    np.testing.assert_allclose(ours.weight.grad.numpy(), theirs.weight.grad.numpy(), rtol=1e-6)


def test_conv_transpose_output_size_chooses() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    options = {"in_channels": 1, "out_channels": 1, "kernel_size": 3, "stride": 2, "padding": 1}
    ours, theirs = _pair(torch, "ConvTranspose2d", options)
    values = np.random.default_rng(0).normal(size=(1, 1, 3, 3)).astype(np.float32)
    for size in ((5, 6), (1, 1, 6, 5)):
        mine = ours(jitnet.tensor(values), output_size=size)
        other = theirs(torch.tensor(values), output_size=size)
        np.testing.assert_allclose(mine.detach().numpy(), other.detach().numpy(), rtol=1e-5)
    with pytest.raises(ValueError, match=r"must be in 5\.\.6"):
        ours(jitnet.tensor(values), output_size=(5, 9))


# Without an oracle


def test_linear_computes_its_formula() -> None:
    layer = nn.Linear(2, 2)
    layer.load_state_dict(
        {"weight": jitnet.tensor([[1.0, 2.0], [3.0, 4.0]]), "bias": jitnet.ones(2)}
    )
    assert layer(jitnet.tensor([1.0, 1.0])).tolist() == [4.0, 8.0]


def test_initial_values_have_pytorchs_bounds() -> None:
    jitnet.manual_seed(0)
    for layer, fan_in in ((nn.Linear(50, 40), 50), (nn.Conv2d(4, 20, 5), 100)):
        bound = 1 / math.sqrt(fan_in)
        for param in (layer.weight, layer.bias):
            values = param.detach().numpy()
            assert np.abs(values).max() <= bound
            assert np.abs(values).max() > 0.8 * bound
    assert nn.BatchNorm2d(3).weight.tolist() == [1.0, 1.0, 1.0]
    assert nn.LayerNorm(3).bias.tolist() == [0.0, 0.0, 0.0]
    weight = nn.Embedding(100, 50).weight.detach().numpy()
    assert abs(weight.std() - 1) < 0.05


def test_batch_norm_updates_statistics_in_place() -> None:
    layer = nn.BatchNorm1d(2)
    mean, count = layer.running_mean, layer.num_batches_tracked
    layer(jitnet.tensor([[1.0, 2.0], [3.0, 6.0]]))
    assert layer.running_mean is mean
    assert layer.num_batches_tracked is count
    np.testing.assert_allclose(mean.numpy(), [0.2, 0.4], rtol=1e-6)
    assert count.item() == 1
    assert count.dtype is jitnet.int64
    layer.eval()
    layer(jitnet.ones(2, 2))
    assert count.item() == 1
    layer.reset_running_stats()
    assert mean.tolist() == [0.0, 0.0]


def test_batch_norm_cumulative_average() -> None:
    layer = nn.BatchNorm1d(1, momentum=None)
    for value in (1.0, 2.0, 6.0):
        layer(jitnet.full((4, 1), value))
    assert layer.running_mean.item() == pytest.approx(3.0)


def test_dropout_only_in_training() -> None:
    layer = nn.Dropout(0.5)
    x = jitnet.ones(1000)
    dropped = layer(x)
    assert set(dropped.tolist()) == {0.0, 2.0}
    assert 400 < (dropped == 0).sum().item() < 600
    layer.eval()
    assert layer(x).tolist() == x.tolist()
    channels = nn.Dropout2d(0.5)(jitnet.ones(8, 8, 3, 3)).reshape(64, 9)
    assert all(len(set(row)) == 1 for row in channels.tolist())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Dropout(1.5), "between 0 and 1"),
        (lambda: nn.Conv2d(3, 4, 3, groups=2), "in_channels must be divisible by groups"),
        (lambda: nn.Conv2d(2, 4, 3, groups=0), "groups must be a positive int"),
        (lambda: nn.Conv2d(2, 4, (3, 3, 3)), "kernel_size wants one int or 2 ints"),
        (lambda: nn.Conv2d(2, 4, 3, padding="full"), "padding must be"),
        (lambda: nn.Conv2d(2, 4, 3, stride=2, padding="same"), "stride 1 only"),
        (lambda: nn.Conv2d(2, 4, 3, padding_mode="wrap"), "padding_mode must be one of"),
        (lambda: nn.ConvTranspose2d(2, 4, 3, padding_mode="reflect"), "zeros only"),
        (lambda: nn.GroupNorm(3, 4), "divisible by num_groups"),
        (lambda: nn.MSELoss(reduction="average"), "reduction must be one of"),
        (lambda: nn.Embedding(3, 2, padding_idx=3), "padding_idx must be in"),
        (lambda: nn.Hardtanh(1.0, 1.0), "max_val must exceed"),
        (lambda: nn.BatchNorm2d(3)(jitnet.ones(2, 3)), "wants a 4D input"),
        (lambda: nn.BatchNorm1d(3)(jitnet.ones(3)), "wants a 2D or 3D input"),
        (lambda: nn.InstanceNorm2d(3)(jitnet.ones(3)), "wants a 3D or 4D input"),
    ],
)
def test_wrong_settings_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_options_that_do_not_exist_are_refused() -> None:
    with pytest.raises(TypeError, match="unexpected keyword"):
        nn.Linear(1, 1, nonsense=True)


def test_sizes_of_one_number_count_for_every_dim() -> None:
    x = jitnet.randn(1, 2, 6, 6)
    layer = nn.Conv2d(2, 3, (3,), stride=(2,), padding=[1])
    assert layer(x).shape == (1, 3, 3, 3)
    with pytest.raises(ValueError, match="2 ints"):
        nn.Conv2d(2, 3, 3, stride=(1, 2, 3))


def test_softmax_without_dim() -> None:
    """Programs from before 2018 leave `dim` out: PyTorch warns and chooses by the rank."""
    for shape, dim in (((3,), 0), ((2, 3), 1), ((2, 3, 4), 0), ((2, 3, 4, 2), 1)):
        x = jitnet.randn(*shape)
        with pytest.warns(UserWarning, match=f"Implicit dimension choice.*took dim {dim}"):
            found = nn.Softmax()(x)
        assert (found == x.softmax(dim)).all()
