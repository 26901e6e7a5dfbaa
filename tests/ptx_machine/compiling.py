"""PTX in a process of its own: Numba either compiles or simulates, and tests here simulate.

It calls what the real driver calls, `compile_ptx` of runtime/cuda/building.py. Kernels take Numba
seconds each, so PTX is kept on disk like all that is compiled.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any, BinaryIO

from jitnet.runtime.cache import digest, keep
from jitnet.runtime.cuda import building

ROOT = Path(__file__).parents[2]
MAKERS = tuple(ROOT / "runtime" / "cuda" / name for name in ("building.py", "instructions.py"))

Functions = Mapping[str, Sequence[str]]


class Compiler:
    """A process that makes PTX of source for as long as this one runs."""

    @cached_property
    def _process(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        environment.pop("NUMBA_ENABLE_CUDASIM", None)
        return subprocess.Popen(
            [sys.executable, "-m", "tests.ptx_machine.compiling"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd=ROOT,
        )

    def ptx(self, source: str, functions: Functions, capability: tuple[int, int]) -> dict[str, str]:
        """Return the PTX of each function of a module's source."""
        asked = {name: tuple(elements) for name, elements in functions.items()}
        what = (source, str(asked), str(capability))
        data, _ = keep(
            digest("ptx", *what, building.versions(), *map(Path.read_text, MAKERS)),
            lambda: pickle.dumps(self._made(source, asked, capability)),
        )
        found: dict[str, str] = pickle.loads(data)
        return found

    def _made(
        self, source: str, functions: Functions, capability: tuple[int, int]
    ) -> dict[str, str]:
        assert self._process.stdin is not None and self._process.stdout is not None
        pickle.dump((source, functions, capability), self._process.stdin)
        self._process.stdin.flush()
        found: dict[str, str] | str = pickle.load(self._process.stdout)
        if isinstance(found, str):
            raise RuntimeError(f"no PTX was made:\n{found}\n{source}")
        return found


@cache
def compiler() -> Compiler:
    """Return the process, which is started when first asked."""
    return Compiler()


def serve(asked: BinaryIO, answers: BinaryIO) -> None:
    """Answer until nobody asks any more."""
    import traceback

    while True:
        try:
            request: Any = pickle.load(asked)
        except EOFError:
            return
        answer: Any
        try:
            answer = building.compile_ptx(*request)
        except Exception:  # the other process raises it
            answer = traceback.format_exc()
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
