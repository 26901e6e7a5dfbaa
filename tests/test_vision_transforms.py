"""Transforms of images: torchvision's results where it is installed, facts everywhere."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import jitnet
from jitnet import nn
from jitnet.vision import transforms as T
from jitnet.vision.transforms import functional as F
from tests.vision_oracle import check_same, oracle, to_torch

RANDOM = np.random.default_rng(0)
RGB = RANDOM.integers(0, 256, (11, 14, 3), dtype=np.uint8)
GREY = RGB[:, :, 0]


def images() -> dict[str, Any]:
    """One picture in each form that transforms take."""
    channels_first = np.ascontiguousarray(RGB.transpose(2, 0, 1))
    return {
        "RGB": Image.fromarray(RGB),
        "L": Image.fromarray(np.ascontiguousarray(GREY)),
        "bytes": jitnet.from_numpy(channels_first),
        "floats": jitnet.from_numpy(channels_first.astype(np.float32) / 255),
        "batch": jitnet.from_numpy(np.stack([channels_first] * 2).astype(np.float32) / 255),
    }


CALLS: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "hflip": (lambda F, x: F.hflip(x), "all"),
    "vflip": (lambda F, x: F.vflip(x), "all"),
    "crop": (lambda F, x: F.crop(x, 2, 3, 4, 5), "all"),
    "crop outside": (lambda F, x: F.crop(x, -2, 10, 7, 9), "all"),
    "center_crop": (lambda F, x: F.center_crop(x, [5, 6]), "all"),
    "center_crop larger": (lambda F, x: F.center_crop(x, [14, 6]), "all"),
    "five_crop": (lambda F, x: F.five_crop(x, [4, 5]), "all"),
    "resize": (lambda F, x: F.resize(x, [5, 20]), "all"),
    "resize one edge": (lambda F, x: F.resize(x, [7]), "all"),
    "resize max": (lambda F, x: F.resize(x, [9], max_size=10), "all"),
    "resize nearest": (lambda F, x: F.resize(x, [5, 20], F.InterpolationMode.NEAREST), "all"),
    "resize bicubic": (lambda F, x: F.resize(x, [6, 9], F.InterpolationMode.BICUBIC), "all"),
    "resize by number": (lambda F, x: F.resize(x, [6, 9], interpolation=2), "all"),
    "resize lanczos": (lambda F, x: F.resize(x, [6, 9], F.InterpolationMode.LANCZOS), "images"),
    "resized_crop": (lambda F, x: F.resized_crop(x, 1, 2, 6, 7, [4, 4]), "all"),
    "pad": (lambda F, x: F.pad(x, 2), "all"),
    "pad two": (lambda F, x: F.pad(x, [1, 3], fill=1), "all"),
    "pad four": (lambda F, x: F.pad(x, [1, 2, 0, 3]), "all"),
    "pad colours": (lambda F, x: F.pad(x, [1, 2, 0, 3], fill=(9, 8, 7)), "RGB"),
    "pad edge": (lambda F, x: F.pad(x, [1, 2, 0, 3], padding_mode="edge"), "all"),
    "pad reflect": (lambda F, x: F.pad(x, [1, 2, 0, 3], padding_mode="reflect"), "all"),
    "pad symmetric": (lambda F, x: F.pad(x, [1, 2, 0, 3], padding_mode="symmetric"), "all"),
    "rotate": (lambda F, x: F.rotate(x, 33.0), "all"),
    "rotate bilinear": (lambda F, x: F.rotate(x, -50.0, F.InterpolationMode.BILINEAR), "all"),
    "rotate expand": (lambda F, x: F.rotate(x, 90.0, expand=True), "all"),
    "rotate expand fill": (lambda F, x: F.rotate(x, 20.0, expand=True, fill=[1.0]), "all"),
    "rotate center": (lambda F, x: F.rotate(x, 15.0, center=[2, 3]), "all"),
    "grey": (lambda F, x: F.rgb_to_grayscale(x), "all"),
    "grey in three": (lambda F, x: F.rgb_to_grayscale(x, 3), "all"),
    "brightness": (lambda F, x: F.adjust_brightness(x, 1.4), "all"),
    "contrast": (lambda F, x: F.adjust_contrast(x, 0.6), "all"),
    "saturation": (lambda F, x: F.adjust_saturation(x, 1.7), "all"),
    "hue": (lambda F, x: F.adjust_hue(x, 0.23), "all"),
    "hue back": (lambda F, x: F.adjust_hue(x, -0.4), "all"),
    "invert": (lambda F, x: F.invert(x), "all"),
    "blur": (lambda F, x: F.gaussian_blur(x, [3, 5], [0.8, 1.5]), "all"),
    "blur by default": (lambda F, x: F.gaussian_blur(x, 3), "all"),
    "dimensions": (lambda F, x: F.get_dimensions(x), "all"),
    "size": (lambda F, x: F.get_image_size(x), "all"),
    "to_tensor": (lambda F, x: F.to_tensor(x), "images"),
    "pil_to_tensor": (lambda F, x: F.pil_to_tensor(x), "images"),
    "to_pil_image": (lambda F, x: F.to_pil_image(x), "tensors"),
    "to_pil_image mode": (lambda F, x: F.to_pil_image(x, "HSV"), "tensors"),
    "normalize": (lambda F, x: F.normalize(x, [0.4, 0.5, 0.6], [0.2, 0.3, 0.4]), "floats"),
    "erase": (lambda F, x: F.erase(x, 1, 2, 3, 4, 0), "tensors"),
}
KINDS = {
    "all": ("RGB", "L", "bytes", "floats", "batch"),
    "images": ("RGB", "L"),
    "tensors": ("bytes", "floats"),
    "floats": ("floats", "batch"),
    "RGB": ("RGB",),
}
CASES = [(name, kind) for name, (_, kinds) in CALLS.items() for kind in KINDS[kinds]]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_functions_are_torchvisions(name: str, kind: str) -> None:
    theirs = oracle("transforms.functional")
    image = images()[kind]
    call = CALLS[name][0]
    # sums in another order: a byte may round the other way, a float differs in its last bits
    close = 1.0 if kind == "bytes" else 2e-6
    exact = isinstance(image, Image.Image)
    check_same(call(F, image), call(theirs, to_torch(image)), 0.0 if exact else close)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "int64", "float32", "float64"])
@pytest.mark.parametrize("source", ["uint8", "int16", "float32", "float64"])
def test_dtypes_are_converted_as_torchvision_does(source: str, dtype: str) -> None:
    theirs = oracle("transforms.functional")
    torch = pytest.importorskip("torch")
    largest = np.iinfo(source).max if "int" in source else 1.0
    image = jitnet.from_numpy((np.linspace(0, 1, 12).reshape(3, 2, 2) * largest).astype(source))
    try:
        expected = theirs.convert_image_dtype(to_torch(image), getattr(torch, dtype))
    except RuntimeError:
        with pytest.raises(RuntimeError, match="cannot hold"):
            F.convert_image_dtype(image, getattr(jitnet, dtype))
    else:
        check_same(F.convert_image_dtype(image, getattr(jitnet, dtype)), expected, 1e-7)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "CMYK", "I", "I;16", "F"])
def test_modes_become_tensors_as_in_torchvision(mode: str) -> None:
    theirs = oracle("transforms.functional")
    picture = Image.fromarray(RGB).convert("L" if mode == "I;16" else mode).convert(mode)
    check_same(F.to_tensor(picture), theirs.to_tensor(picture))


# Facts that hold without an oracle


def test_the_usual_chain() -> None:
    chain = T.Compose(
        [
            T.Resize(8),
            T.CenterCrop(6),
            T.RandomHorizontalFlip(),
            T.ToTensor(),
            T.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ]
    )
    made = chain(Image.fromarray(RGB))
    assert tuple(made.shape) == (3, 6, 6)
    assert made.dtype is jitnet.float32
    assert -1 <= made.min().item() < 0 < made.max().item() <= 1
    assert repr(chain).splitlines()[1] == (
        "    Resize(size=8, interpolation=bilinear, max_size=None, antialias=True)"
    )
    assert repr(pickle.loads(pickle.dumps(chain))) == repr(chain)


def test_to_tensor_and_back_is_the_image() -> None:
    made = T.ToTensor()(Image.fromarray(RGB))
    np.testing.assert_array_equal(made.numpy(), RGB.transpose(2, 0, 1).astype(np.float32) / 255)
    back = T.ToPILImage()(T.PILToTensor()(Image.fromarray(RGB)))
    np.testing.assert_array_equal(np.asarray(back), RGB)
    floats = T.ToTensor()(RGB.astype(np.float64))  # only bytes are scaled
    assert floats.dtype is jitnet.float64
    assert floats.max().item() == RGB.max()


def test_random_transforms_repeat_with_the_seed_and_stay_inside() -> None:
    picture = images()["floats"]
    chain = T.Compose(
        [
            T.RandomCrop(10, padding=2, padding_mode="reflect"),
            T.RandomResizedCrop(8, scale=(0.3, 0.9)),
            T.RandomVerticalFlip(),
            T.RandomRotation(20),
            T.ColorJitter(0.4, 0.4, 0.4, 0.1),
            T.RandomGrayscale(0.3),
            T.RandomApply([T.GaussianBlur(3)], p=0.5),
            T.RandomChoice([T.Lambda(lambda x: x), T.Lambda(lambda x: 1 - x)], p=[1, 3]),
            T.RandomOrder([T.RandomHorizontalFlip(), T.RandomErasing(1.0, value="random")]),
        ]
    )

    def draw() -> list[np.ndarray]:
        jitnet.manual_seed(3)
        return [chain(picture).numpy() for _ in range(4)]

    first, again = draw(), draw()
    np.testing.assert_array_equal(first, again)
    assert np.array(first).shape == (4, 3, 8, 8)
    assert not np.array_equal(first[0], first[1])


@pytest.mark.parametrize(
    ("transform", "probability"),
    [
        (T.RandomHorizontalFlip(0.3), 0.3),
        (T.RandomVerticalFlip(), 0.5),
        (T.RandomErasing(0.8), 0.8),
    ],
)
def test_probabilities(transform: Callable[[Any], Any], probability: float) -> None:
    jitnet.manual_seed(0)
    picture = images()["floats"]
    changed = sum(not jitnet.equal(transform(picture), picture) for _ in range(400))
    assert abs(changed / 400 - probability) < 0.08


def test_crops_reach_every_place_and_no_other() -> None:
    jitnet.manual_seed(0)
    found = {T.RandomCrop.get_params(Image.new("L", (4, 3)), (2, 3)) for _ in range(100)}
    assert found == {(top, left, 2, 3) for top in (0, 1) for left in (0, 1)}
    for _ in range(100):
        wide = Image.new("L", (40, 4))
        top, left, height, width = T.RandomResizedCrop.get_params(wide, (0.5, 1.0), (0.9, 1.1))
        assert 0 <= top <= top + height <= 4
        assert 0 <= left <= left + width <= 40


def test_erasing_keeps_the_image_unless_in_place() -> None:
    picture = jitnet.ones(3, 8, 8)
    erased = T.RandomErasing(1.0, value=(1, 2, 3))(picture)
    assert picture.min().item() == 1
    assert sorted(set(erased[2].flatten().tolist())) == [1, 3]
    assert T.RandomErasing(1.0, inplace=True)(picture) is picture
    assert picture.min().item() == 0


def test_modules_take_places_in_a_sequential() -> None:
    chain = nn.Sequential(T.CenterCrop(4), T.Normalize([0.5], [0.5]))
    assert tuple(chain(jitnet.rand(3, 8, 8)).shape) == (3, 4, 4)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.hflip([[1]]), TypeError, "a Tensor, got list"),
        (lambda: F.to_tensor(jitnet.ones(3)), TypeError, "an ndarray, got Tensor"),
        (lambda: F.to_tensor(np.ones(3)), ValueError, r"2 or 3 dims, got \[3\]"),
        (lambda: F.to_pil_image(jitnet.ones(5, 2, 2)), ValueError, r"got \[5, 2, 2\]"),
        (lambda: F.to_pil_image(jitnet.ones(3, 2, 2), "L"), ValueError, "not 'L'"),
        (lambda: F.to_pil_image(np.ones((2, 2), np.int64)), TypeError, "int64"),
        (lambda: F.normalize(Image.fromarray(RGB), [0], [1]), TypeError, "ToTensor comes first"),
        (lambda: F.normalize(images()["bytes"], [0], [1]), TypeError, "takes floats"),
        (lambda: F.normalize(jitnet.ones(3, 2, 2), [0], [0]), ValueError, "divide by zero"),
        (lambda: F.pad(jitnet.ones(3, 2, 2), [1, 2, 3]), ValueError, "1, 2 or 4"),
        (lambda: F.pad(jitnet.ones(3, 2, 2), 1, padding_mode="wrap"), ValueError, "'wrap'"),
        (lambda: F.pad(jitnet.ones(3, 2, 2), 1, fill=(1, 2, 3)), ValueError, "one number"),
        (lambda: F.resize(jitnet.ones(3, 2, 2), [1, 2, 3]), ValueError, "1 or 2 of them"),
        (lambda: F.resize(jitnet.ones(3, 2, 2), 5, max_size=4), ValueError, "larger than size 5"),
        (lambda: F.resize(jitnet.ones(3, 2, 2), 5, "bilinear"), TypeError, "InterpolationMode"),
        (lambda: F.resize(jitnet.ones(3, 2, 2), 5, 1), ValueError, "for Pillow images"),
        (lambda: F.rgb_to_grayscale(jitnet.ones(2, 2, 2)), TypeError, "1 or 3 channels, got 2"),
        (lambda: F.adjust_hue(jitnet.ones(3, 2, 2), 0.6), ValueError, "got 0.6"),
        (lambda: F.adjust_contrast(jitnet.ones(3, 2, 2), -1), ValueError, "got -1"),
        (lambda: F.gaussian_blur(jitnet.ones(3, 2, 2), 4), ValueError, "odd"),
        (lambda: F.five_crop(jitnet.ones(3, 2, 2), 3), ValueError, r"got \(2, 2\)"),
        (lambda: T.RandomCrop(9)(jitnet.ones(3, 2, 2)), ValueError, "pad_if_needed=True"),
        (lambda: T.RandomResizedCrop(9, scale=(1, 0)), ValueError, "least, most"),
        (lambda: T.ColorJitter(hue=0.7), ValueError, "hue ranges between -0.5"),
        (lambda: T.ColorJitter(brightness=-1), ValueError, "got -1"),
        (lambda: T.CenterCrop([1, 2, 3]), ValueError, "height, width"),
        (lambda: T.RandomRotation(-1), ValueError, "degrees is positive"),
        (lambda: T.RandomErasing(2.0), ValueError, "lie in 0"),
        (lambda: T.Lambda(3), TypeError, "got int"),
    ],
)
def test_errors(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def _python(code: str) -> str:
    root = str(Path(__file__).parents[1])
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    return run.stdout + run.stderr


def test_pillow_is_asked_for_by_vision_only_and_named_with_its_extra() -> None:
    code = """
import sys
sys.modules["PIL"] = None
import jitnet
print("jitnet.vision" in sys.modules)
import jitnet.vision
try:
    jitnet.vision.transforms
except ModuleNotFoundError as error:
    print(error)
"""
    text = _python(code)
    assert text == "False\njitnet.vision's images need Pillow: pip install 'jitnet[vision]'\n"
