"""detect_anomaly and set_detect_anomaly: accepted; errors name the line of the forward already."""

from __future__ import annotations


class set_detect_anomaly:  # noqa: N801
    """A switch, or a context manager, that changes nothing."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.mode = mode

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc_info: object) -> None:
        pass


class detect_anomaly(set_detect_anomaly):  # noqa: N801
    """A context manager that changes nothing."""

    def __init__(self, check_nan: bool = True) -> None:
        super().__init__(True)
