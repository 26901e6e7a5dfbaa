"""Networks of jitnet.vision: their parameters, initial values and results are torchvision's."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import jitnet
import jitnet.nn.functional as F
from jitnet import nn
from jitnet.vision import models, transforms, utils
from tests.vision_oracle import check_same, oracle, to_torch

# Parameters and entries of the state dict, as torchvision publishes them.
SMALL = {
    "resnet18": (11_689_512, 122),
    "resnet34": (21_797_672, 218),
    "resnet50": (25_557_032, 320),
    "mobilenet_v2": (3_504_872, 314),
}
LARGE = {
    "alexnet": 61_100_840,
    "vgg11": 132_863_336,
    "vgg11_bn": 132_868_840,
    "vgg16": 138_357_544,
    "vgg16_bn": 138_365_992,
}
WEIGHTS = {
    "resnet18": "ResNet18_Weights",
    "resnet50": "ResNet50_Weights",
    "vgg16_bn": "VGG16_BN_Weights",
    "mobilenet_v2": "MobileNet_V2_Weights",
    "alexnet": "AlexNet_Weights",
}


@pytest.mark.parametrize("name", SMALL)
def test_parameters(name: str) -> None:
    model = getattr(models, name)()
    count, entries = SMALL[name]
    assert sum(parameter.numel() for parameter in model.parameters()) == count
    assert len(model.state_dict()) == entries


@pytest.fixture
def small_classifier(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the large layers of VGG and AlexNet be made without drawing their numbers."""
    for name in ("kaiming_normal_", "normal_", "kaiming_uniform_", "uniform_"):
        monkeypatch.setattr(nn.init, name, lambda tensor, *args, **options: tensor)


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.usefixtures("small_classifier")
def test_parameters_of_large_networks(name: str) -> None:
    model = getattr(models, name)()
    assert sum(parameter.numel() for parameter in model.parameters()) == LARGE[name]


def test_names_of_resnet() -> None:
    names = list(models.resnet18(num_classes=10).state_dict())
    assert names[:4] == ["conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean"]
    assert "layer2.0.downsample.1.num_batches_tracked" in names
    assert names[-2:] == ["fc.weight", "fc.bias"]


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "mobilenet_v2"])
def test_networks_are_torchvisions(name: str) -> None:
    theirs = getattr(oracle("models"), name)(num_classes=7).eval()
    ours = getattr(models, name)(num_classes=7).eval()
    expected = theirs.state_dict()
    assert {k: tuple(v.shape) for k, v in ours.state_dict().items()} == {
        k: tuple(v.shape) for k, v in expected.items()
    }
    ours.load_state_dict({k: jitnet.from_numpy(v.numpy().copy()) for k, v in expected.items()})
    jitnet.manual_seed(0)
    images = jitnet.randn(2, 3, 64, 64)
    with jitnet.no_grad():
        logits = ours(images)
    wanted = theirs(to_torch(images)).detach().numpy()
    np.testing.assert_allclose(logits.numpy(), wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["vgg11", "vgg16_bn", "alexnet"])
@pytest.mark.usefixtures("small_classifier")
def test_state_dicts_of_large_networks_are_torchvisions(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = oracle("models")
    import torch

    with torch.device("meta"):
        expected = getattr(module, name)().state_dict()
    ours = getattr(models, name)().state_dict()
    assert [(k, tuple(v.shape)) for k, v in ours.items()] == [
        (k, tuple(v.shape)) for k, v in expected.items()
    ]


def test_initial_values_are_drawn_as_torchvision_draws_them() -> None:
    jitnet.manual_seed(0)
    model = models.resnet18(zero_init_residual=True)
    weight = model.layer3[0].conv1.weight
    deviation = (2 / (256 * 9)) ** 0.5  # He's, of the fan out
    assert abs(weight.std().item() / deviation - 1) < 0.01
    assert model.layer1[0].bn1.weight.min().item() == 1
    assert model.layer1[0].bn2.weight.max().item() == 0
    linear = models.mobilenet_v2().classifier[1]
    assert abs(linear.weight.std().item() / 0.01 - 1) < 0.01
    assert linear.bias.abs().max().item() == 0


def test_vgg_computes_and_learns() -> None:
    jitnet.manual_seed(0)
    features = models.vgg.make_layers((1, 1, 1, 1, 1), batch_norm=True)
    made = features(jitnet.randn(2, 3, 32, 32))
    assert tuple(made.shape) == (2, 512, 1, 1)
    kinds = [type(layer).__name__ for layer in features][:4]
    assert kinds == ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"]


def test_resnet_compiles_to_what_it_is_eagerly() -> None:
    jitnet.manual_seed(0)
    model = models.ResNet(models.resnet.BasicBlock, [1, 1, 1, 1], num_classes=4).double()
    # float64: norms over the two images that the last stage sees would enlarge any rounding
    images, labels = jitnet.randn(2, 3, 32, 32, dtype=jitnet.float64), jitnet.tensor([1, 3])

    def step(images: jitnet.Tensor) -> jitnet.Tensor:
        model.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        return loss

    state = {k: v.clone() for k, v in model.state_dict().items()}
    eager = step(images).item()
    gradient = model.conv1.weight.grad.numpy().copy()
    model.load_state_dict(state)
    assert abs(jitnet.compile(step)(images).item() - eager) < 1e-10
    np.testing.assert_allclose(model.conv1.weight.grad.numpy(), gradient, rtol=1e-6, atol=1e-8)


def test_bottlenecks_take_groups_and_dilation() -> None:
    jitnet.manual_seed(0)
    options = {"groups": 2, "width_per_group": 8, "num_classes": 3}
    wide = models.ResNet(
        models.resnet.Bottleneck, [1, 1, 1, 1], replace_stride_with_dilation=[0, 1, 1], **options
    )
    assert tuple(wide(jitnet.randn(1, 3, 32, 32)).shape) == (1, 3)
    assert wide.layer4[0].conv2.dilation == (2, 2)
    with pytest.raises(ValueError, match="Bottleneck takes others"):
        models.resnet18(groups=2)
    with pytest.raises(ValueError, match="3 elements"):
        models.resnet50(replace_stride_with_dilation=[True])


@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("how", ["string", "member", "pretrained", "positional"])
def test_named_weights_say_what_to_do(name: str, how: str) -> None:
    known = getattr(models, WEIGHTS[name])
    make = getattr(models, name)
    message = rf"does not download.*{known.DEFAULT.url}.*jitnet\.load\('{known.DEFAULT.value}'\)"
    with pytest.raises(RuntimeError, match=message):
        if how == "string":
            make(weights="DEFAULT")
        elif how == "member":
            make(weights=known.DEFAULT)
        elif how == "pretrained":
            make(pretrained=True)
        else:
            make(True)
    with pytest.raises(ValueError, match=re.escape("(IMAGENET1K_V1,")):
        make(weights="IMAGENET22K")


@pytest.mark.parametrize("name", WEIGHTS)
def test_names_of_weights_are_torchvisions(name: str) -> None:
    theirs = getattr(oracle("models"), WEIGHTS[name])
    ours = getattr(models, WEIGHTS[name])
    for member in ("IMAGENET1K_V1", "DEFAULT"):
        assert ours[member].url == theirs[member].url
        assert ours[member].name == theirs[member].name
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 280, 3), np.uint8))
    check_same(ours.DEFAULT.transforms()(picture), theirs.DEFAULT.transforms()(picture), 1e-6)


def test_old_code_that_wants_no_weights_runs() -> None:
    model = models.resnet18(pretrained=False, progress=False, num_classes=2)
    assert model.fc.out_features == 2


# Grids


BATCH = np.random.default_rng(0).normal(size=(5, 3, 4, 6)).astype(np.float32)
GRIDS = {
    "plain": (BATCH, {}),
    "rows": (BATCH, {"nrow": 2, "padding": 1, "pad_value": 0.5}),
    "grey": (BATCH[:, :1], {"nrow": 3}),
    "one": (BATCH[:1], {}),
    "one image": (BATCH[0, :1], {}),
    "plane": (BATCH[0, 0], {}),
    "normalized": (BATCH, {"normalize": True}),
    "each": (BATCH, {"normalize": True, "scale_each": True, "nrow": 4}),
    "range": (BATCH, {"normalize": True, "value_range": (-1, 1)}),
}


@pytest.mark.parametrize("name", GRIDS)
def test_grids_are_torchvisions(name: str, tmp_path: Path) -> None:
    theirs = oracle("utils")
    values, options = GRIDS[name]
    images = jitnet.from_numpy(values.copy())
    check_same(
        utils.make_grid(images, **options), theirs.make_grid(to_torch(images), **options), 1e-6
    )
    utils.save_image(images, tmp_path / "ours.png", **options)
    theirs.save_image(to_torch(images), tmp_path / "theirs.png", **options)
    with Image.open(tmp_path / "ours.png") as ours, Image.open(tmp_path / "theirs.png") as wanted:
        check_same(ours, wanted, 1)


def test_a_grid_and_its_file(tmp_path: Path) -> None:
    images = [jitnet.ones(1, 2, 3), jitnet.zeros(1, 2, 3), jitnet.ones(1, 2, 3) * 0.5]
    grid = utils.make_grid(images, nrow=2, padding=1)
    assert tuple(grid.shape) == (3, 7, 9)
    assert grid[0, 1].tolist() == [0, 1, 1, 1, 0, 0, 0, 0, 0]
    utils.save_image(grid, tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as read:
        back = transforms.PILToTensor()(read)
    assert sorted(set(back.flatten().tolist())) == [0, 128, 255]


def test_errors_of_grids() -> None:
    with pytest.raises(TypeError, match=r"a list of \['float'\]"):
        utils.make_grid([1.0])
    with pytest.raises(TypeError, match="got str"):
        utils.make_grid("x")
    with pytest.raises(ValueError, match=r"got \[1, 2, 3, 4, 5\]"):
        utils.make_grid(jitnet.ones(1, 2, 3, 4, 5))


def test_the_package_names_its_parts() -> None:
    import jitnet.vision

    assert jitnet.vision.models is models
    with pytest.raises(AttributeError, match=r"the nearest name is jitnet\.vision\.models"):
        _ = jitnet.vision.model
