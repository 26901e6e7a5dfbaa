"""Where a tensor's memory is: "cpu" today."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = ("cpu", "cuda", "mps", "meta", "xpu", "xla", "hip", "hpu", "ipu", "mtia", "vulkan")


@dataclass(frozen=True, init=False)
class Device:
    """A device as PyTorch names it: `device("cpu")`, `device("cuda", 0)`, `device("cuda:0")`.

    Every device can be named; tensors are on the CPU. As a context, a device is where tensors are
    made, so that must be the CPU, too.
    """

    type: str
    index: int | None

    def __init__(self, type: str | Device, index: int | None = None) -> None:
        if isinstance(type, Device):
            type, index = type.type, type.index
        elif not isinstance(type, str):
            raise TypeError(f"a device is named by a string such as 'cpu', got {type!r}")
        name, _, number = type.partition(":")
        if name not in KINDS or (number and not number.isdecimal()):
            raise RuntimeError(f"no device is called {type!r}; there is 'cpu'")
        object.__setattr__(self, "type", name)
        object.__setattr__(self, "index", int(number) if number else index)

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"

    def __enter__(self) -> Device:
        check_device(self)
        return self

    def __exit__(self, *error: object) -> None:
        pass


device = Device
CPU = Device("cpu")


def check_device(where: object) -> None:
    """Raise unless `where` is None or names the CPU."""
    if where is not None and Device(where).type != "cpu":  # type: ignore[arg-type]
        raise RuntimeError(f"this jitnet runs on the CPU only, not on {where!s}; use device='cpu'")
