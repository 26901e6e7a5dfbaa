"""The command line: `dump` shows what a script's functions became, `run` runs one of PyTorch's."""

from __future__ import annotations

import argparse
import re
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from jitnet.runtime.cuda import building

from . import other_names
from .compile import CompiledFunction, listening
from .variants.dump import SUFFIXES, check_stage, dump, pieces

_DESCRIPTION = """\
Run a script, then print what each of its compiled functions became.

stages: trace (the ops as they were called), graph (after simplification), kernels (the fused
loops), llvm (LLVM IR), asm (machine code), call (what a call looks at and does), all; cuda (the
kernels as Numba CUDA source), ptx (what numba-cuda makes of it), with or without a GPU."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m jitnet", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    shown = commands.add_parser(
        "dump",
        help="run a script and print what its compiled functions became",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    shown.add_argument("--stage", default="kernels", help="what to print (default: kernels)")
    shown.add_argument("--function", metavar="NAME", help="only functions whose name contains NAME")
    shown.add_argument("--explain", action="store_true", help="print why and how instead of code")
    shown.add_argument("-o", dest="folder", type=Path, metavar="DIR", help="write files there")
    swapped = commands.add_parser(
        "run",
        help="run a script that is written for PyTorch",
        description="Run a script in which `torch` is jitnet and `torchvision` jitnet.vision.",
    )
    for command in (shown, swapped):
        command.add_argument("script", type=Path, help="the Python script to run")
        command.add_argument("arguments", nargs=argparse.REMAINDER, help="what the script gets")
    given = parser.parse_args(argv)
    if not given.script.is_file():
        parser.error(f"there is no script {given.script}")
    if given.command == "run":
        other_names.be_pytorch()
        return _run(given.script, given.arguments)[1]
    try:
        check_stage(given.stage)
    except ValueError as error:
        parser.error(str(error))
    reason = building.why_not() if given.stage == "ptx" else None
    if reason is not None:
        parser.error(reason)
    functions, status = _run(given.script, given.arguments)
    chosen = [each for each in functions if (given.function or "") in each.__qualname__]
    return _show(chosen, functions, given) or status


def _run(script: Path, arguments: Sequence[str]) -> tuple[list[CompiledFunction], int]:
    """Run a script as `python script.py ...` would; return what it compiled, and its status."""
    functions: list[CompiledFunction] = []
    before = sys.argv, sys.path[:]
    sys.argv = [str(script), *arguments]
    sys.path[:0] = [str(script.resolve().parent)]
    try:
        with listening(functions.append):
            runpy.run_path(str(script), run_name="__main__")
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    else:
        status = 0
    finally:
        sys.argv, sys.path[:] = before
    return [each for each in functions if each.variants], status


def _show(
    chosen: Sequence[CompiledFunction],
    every: Sequence[CompiledFunction],
    given: argparse.Namespace,
) -> int:
    """Print or write what was asked for; return 1 if there is nothing."""
    if not chosen:
        names = ", ".join(each.__qualname__ for each in every) or "none"
        print(f"no compiled function to show; called were: {names}", file=sys.stderr)
        return 1
    if given.folder is not None:
        for name, function in _file_names(chosen).items():
            _write(function, name, given.stage, given.folder)
        return 0
    for function in chosen:
        print(function.explain() if given.explain else dump(function, given.stage))
        print()
    return 0


def _file_names(functions: Sequence[CompiledFunction]) -> dict[str, CompiledFunction]:
    """Return file name -> function; functions that share a name are numbered."""
    named: dict[str, CompiledFunction] = {}
    for function in functions:
        base = re.sub(r"[^\w.]+", "_", function.__qualname__).strip("_")
        number = 1 + sum(1 for name in named if name.partition("-")[0] == base)
        named[base if number == 1 else f"{base}-{number}"] = function
    return named


def _write(function: CompiledFunction, base: str, stage: str, folder: Path) -> None:
    """Write a file for each program and stage, and one that explains; say which."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {f"{base}.explain.txt": function.explain()}
    for program, each, text in pieces(function, stage):
        written[f"{base}.{program.replace(' ', '.')}.{each}.{SUFFIXES[each]}"] = text
    for name, text in written.items():
        path = folder / name
        path.write_text(text + "\n")
        print(path)


if __name__ == "__main__":
    sys.exit(main())
