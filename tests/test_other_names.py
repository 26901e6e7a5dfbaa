"""jitnet as `torch`, PyTorch's paths to what lies elsewhere here, and what is not there."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import jitnet
from jitnet import nn
from jitnet.absent import ABSENT

SWAPPED = """
import torch.nn.functional as F
from torch import nn, optim
from torch.nn.modules.utils import _pair
from torch.cuda.amp.grad_scaler import GradScaler
from torch.nn.attention.bias import causal_lower_right
from torch.optim.adamw import AdamW
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset
from torch.distributed.fsdp import FullyShardedDataParallel
import torch, torch.nn.parallel.distributed, torchvision.transforms as transforms

assert torch.__version__.split(".") >= ["2", "0"]
assert torch.__name__ == "jitnet" and nn.__spec__.name == "jitnet.nn", nn.__spec__
assert F is nn.functional and AdamW is optim.AdamW and _pair(2) == (2, 2)
assert GradScaler is torch.cuda.amp.GradScaler
assert transforms.__name__ == "jitnet.vision.transforms"
model = nn.Linear(2, 1)
assert isinstance(model, torch.nn.modules.linear.Linear)
print(torch.compile(model)(torch.ones(3, 2)).shape)
"""


def test_jitnet_is_torch_where_modules_say_so(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SWAPPED)
    ways = [
        [sys.executable, "-m", "jitnet", "run", str(script)],
        [sys.executable, "-c", "from jitnet.other_names import be_pytorch as b\nb()\n" + SWAPPED],
    ]
    for way in ways:
        done = subprocess.run(way, capture_output=True, text=True, check=False)
        assert done.stdout.startswith("jitnet.Size([3, 1])"), done.stderr


@pytest.mark.parametrize("path", ABSENT)
def test_what_is_not_there_can_be_imported_and_says_what_to_do(path: str) -> None:
    module = import_module(f"jitnet.{path}")
    for name in ABSENT[path].names.split():
        assert not isinstance(nn.Linear(1, 1), getattr(module, name))
        with pytest.raises(NotImplementedError, match=f"no jitnet.{path}.{name}: "):
            getattr(module, name)(nn.Linear(1, 1))


def test_what_is_not_there_names_the_line_of_the_call() -> None:
    with pytest.raises(NotImplementedError, match=r"bfloat16 .*test_other_names.py:\d+$"):
        jitnet.quantization.quantize_dynamic(nn.Linear(1, 1))


def test_names_of_nns_files() -> None:
    assert isinstance(nn.BatchNorm2d(3), nn.modules.batchnorm._BatchNorm)
    assert isinstance(nn.ConvTranspose2d(1, 1, 1), nn.modules.conv._ConvNd)
    assert import_module("jitnet.nn.modules.container").Sequential is nn.Sequential


def test_lists_of_tensors() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")

    def work(lib: object) -> list[object]:
        a, b = lib.tensor([1.0, -2.0]), lib.tensor([[3.0], [4.0]])  # type: ignore[attr-defined]
        found = lib._foreach_add([a, b], [b, a], alpha=2)  # type: ignore[attr-defined]
        found += lib._foreach_neg([a])  # type: ignore[attr-defined]
        found += lib._foreach_maximum([a, b], 0.5)  # type: ignore[attr-defined]
        found += lib._foreach_minimum([a, b], [0.5, 0.25])  # type: ignore[attr-defined]
        found += lib._foreach_addcmul([a, b], [a, b], [a, b], 0.5)  # type: ignore[attr-defined]
        lib._foreach_mul_([a, b], [2.0, 3.0])  # type: ignore[attr-defined]
        lib._foreach_addcdiv_([a, b], [a, b], [b.sum(), a.sum()], value=-1)  # type: ignore[attr-defined]
        lib._foreach_sqrt_([b])  # type: ignore[attr-defined]
        return [each.tolist() for each in (*found, a, b)]

    assert str(work(jitnet)) == str(work(torch))


def test_one_device_is_all_that_data_parallel_needs() -> None:
    model, x = nn.Linear(2, 2), jitnet.ones(4, 2)
    parts = nn.parallel.scatter((x,), [0])
    outputs = nn.parallel.parallel_apply(nn.parallel.replicate(model, [0]), parts)
    assert nn.parallel.gather(outputs, 0).equal(nn.parallel.data_parallel(model, x))
    with pytest.raises(RuntimeError, match="there is one device"):
        nn.parallel.scatter((x,), [0, 1])


def test_other_words_for_arguments() -> None:
    """Older names of arguments, which PyTorch still takes."""
    x = jitnet.arange(6.0).reshape(2, 3)
    assert [part.shape[1] for part in x.split(split_size=2, dim=1)] == [2, 1]
    assert x.swapaxes(axis0=0, axis1=1).shape == jitnet.swapdims(x, dim0=0, dim1=1).shape == (3, 2)
    assert jitnet.det(input=jitnet.eye(2)) == 1
    assert isinstance(jitnet.channels_last, jitnet.memory_format)
    assert isinstance(jitnet.strided, jitnet.layout)
