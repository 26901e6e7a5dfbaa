"""What an optimizer keeps: parameter groups with their options, and state for each parameter."""

from __future__ import annotations

from typing import Any

from jitnet.nn.tables import Table


class ParamGroup(Table[str, Any]):
    """One group's parameters and options; all changes but those of "lr" bump the epoch.

    The learning rate is a run-time input of compiled code, so a schedule changes no guard.
    """

    def __setitem__(self, key: str, value: Any) -> None:
        if key == "lr" and "lr" in self:
            dict.__setitem__(self, key, value)
            return
        super().__setitem__(key, value)


class StateTable(Table[Any, Table[str, Any]]):
    """Parameter -> name -> tensor; a parameter's entry appears when it is first asked for."""

    def __missing__(self, key: Any) -> Table[str, Any]:
        entry: Table[str, Any] = Table()
        self[key] = entry
        return entry
