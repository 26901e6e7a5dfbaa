"""Where a tensor's memory is: "cpu" today."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Device:
    """A device as PyTorch names it: `device("cpu")`, `device("cuda", 0)`."""

    type: str
    index: int | None = field(default=None)

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"


CPU = Device("cpu")


def device(type: str | Device, index: int | None = None) -> Device:
    """Return the device called `type`, such as "cpu"; RuntimeError where there is none."""
    if isinstance(type, Device):
        return type
    if not isinstance(type, str):
        raise TypeError(f"a device is named by a string such as 'cpu', got {type!r}")
    name, _, number = type.partition(":")
    if number:
        index = int(number)
    if name == "cpu":
        return Device("cpu", index)
    if name == "cuda":
        raise RuntimeError("this jitnet runs on the CPU only; use device='cpu'")
    raise RuntimeError(f"no device is called {type!r}; there is 'cpu'")


def check_device(where: object) -> None:
    """Raise unless `where` is None or names the CPU."""
    if where is not None:
        device(where)  # type: ignore[arg-type]
