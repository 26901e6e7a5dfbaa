"""The walls between the parts: who may import whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("jitnet", "compiler", "runtime")

# Who may import whom; the first prefix that fits a module decides.
MAY_IMPORT = {
    "jitnet.runtime": ("jitnet.runtime",),
    "jitnet.compiler.ir": ("jitnet.compiler.ir", "jitnet.runtime"),
    "jitnet.compiler.ops": ("jitnet.compiler.ops", "jitnet.compiler.ir", "jitnet.runtime"),
    "jitnet.compiler.passes": (
        "jitnet.compiler.passes",
        "jitnet.compiler.ops",
        "jitnet.compiler.ir",
        "jitnet.runtime",
    ),
    "jitnet.compiler.codegen": ("jitnet.compiler.codegen", "jitnet.compiler.ir", "jitnet.runtime"),
    "jitnet.compiler": ("jitnet.compiler", "jitnet.runtime"),
    "jitnet": ("jitnet",),
}
# Parts of tensors, and of what compile does: none imports one that stands after it.
IN_ORDER = ("jitnet.tensors", "jitnet.guards", "jitnet.tracing", "jitnet.variants")
LLVM_FILES = ("jitnet.runtime.",)
NUMBA_FILES = ("jitnet.runtime.cuda.building",)
_CUDA = "jitnet.runtime.cuda"
NVIDIA_FILES = tuple(f"{_CUDA}.{name}" for name in ("building", "bindings", "cublas"))
INSTRUCTIONS = f"{_CUDA}.instructions"  # which only CUDA source imports


@dataclass(frozen=True)
class Import:
    """One import statement of one file."""

    importer: str  # the installed name of the module that says it
    imported: str  # the installed name of the module that it names
    relative: bool
    at_import: bool  # runs when the module is imported, not inside a function or for types only
    where: str

    def __str__(self) -> str:
        return f"{self.where}: {self.importer} imports {self.imported}"


def _module(path: Path) -> str:
    """The name under which a file is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    names = parts if parts[0] == "jitnet" else ("jitnet", *parts)
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


def _folder(path: Path) -> str:
    """The package whose folder holds a file."""
    module = _module(path)
    return module if path.name == "__init__.py" else module.rpartition(".")[0]


def _statements(tree: ast.AST, at_import: bool = True) -> Iterator[tuple[ast.stmt, bool]]:
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.Import() | ast.ImportFrom():
                yield node, at_import
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                yield from _statements(node, False)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                yield from _statements(node, False)
            case _:
                yield from _statements(node, at_import)


def _targets(node: ast.stmt, package: str) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=module, names=names, level=0):
            if module in ("jitnet", "jitnet.compiler"):
                return [f"{module}.{alias.name}" for alias in names]
            return [str(module)]
        case ast.ImportFrom(module=module, level=level):
            base = ".".join(package.split(".")[: len(package.split(".")) - level + 1])
            return [f"{base}.{module}" if module else base]
        case _:
            return []


def _imports() -> list[Import]:
    found = []
    for part in PARTS:
        for path in sorted((ROOT / part).rglob("*.py")):
            for node, at_import in _statements(ast.parse(path.read_text())):
                relative = isinstance(node, ast.ImportFrom) and node.level > 0
                where = f"{path.relative_to(ROOT)}:{node.lineno}"
                for target in _targets(node, _folder(path)):
                    found.append(Import(_module(path), target, relative, at_import, where))
    return found


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def _wall(module: str) -> str:
    """The first of MAY_IMPORT that a module lies within."""
    return next(prefix for prefix in MAY_IMPORT if _within(module, prefix))


IMPORTS = _imports()


def _listed(broken: list[Import], rule: str) -> str:
    return "\n".join([rule, *map(str, broken)])


def test_the_files_are_found() -> None:
    importers = {each.importer.split(".")[1] for each in IMPORTS if each.importer.count(".") >= 1}
    assert {"compiler", "runtime"} <= importers


def test_imports_never_point_back() -> None:
    broken = []
    for each in IMPORTS:
        if not _within(each.imported, "jitnet"):
            continue
        allowed = MAY_IMPORT[_wall(each.importer)]
        if not any(_within(each.imported, package) for package in allowed):
            broken.append(each)
    assert not broken, _listed(broken, "jitnet -> compiler -> runtime, never back:")


def test_the_packages_of_the_front_end_stand_in_their_order() -> None:
    broken = []
    for place, package in enumerate(IN_ORDER):
        own = [each for each in IMPORTS if _within(each.importer, package)]
        assert own, f"{package} has gone: say in IN_ORDER where"
        later = IN_ORDER[place + 1 :]
        broken += [each for each in own if any(_within(each.imported, name) for name in later)]
    assert not broken, _listed(broken, " -> ".join(reversed(IN_ORDER)) + ", never back:")


def test_parts_are_imported_by_their_installed_names() -> None:
    broken = [each for each in IMPORTS if each.imported.split(".")[0] in ("compiler", "runtime")]
    assert not broken, _listed(broken, "write jitnet.compiler and jitnet.runtime:")


def test_relative_imports_stay_inside_their_walls() -> None:
    relative = [each for each in IMPORTS if each.relative]
    broken = [each for each in relative if _wall(each.importer) != _wall(each.imported)]
    assert not broken, _listed(broken, "across a wall, import by the full name:")


def test_llvmlite_stays_in_the_runtime() -> None:
    uses = [each for each in IMPORTS if _within(each.imported, "llvmlite")]
    broken = [each for each in uses if not each.importer.startswith(LLVM_FILES)]
    assert not broken, _listed(broken, "llvmlite only in the runtime's CPU files:")


def test_numba_stays_in_the_cuda_runtime_and_inside_functions() -> None:
    uses = [each for each in IMPORTS if _within(each.imported, "numba")]
    uses = [each for each in uses if each.importer != INSTRUCTIONS]
    uses += [each for each in IMPORTS if _within(each.imported, INSTRUCTIONS)]
    broken = [each for each in uses if not each.importer.startswith(NUMBA_FILES) or each.at_import]
    assert not broken, _listed(broken, "numba only in the runtime's CUDA file, inside functions:")


def test_nvidias_packages_stay_in_three_files_of_the_cuda_runtime() -> None:
    uses = [each for each in IMPORTS if _within(each.imported, "cuda")]
    broken = [each for each in uses if each.importer not in NVIDIA_FILES or each.at_import]
    assert not broken, _listed(broken, "NVIDIA's packages only in three files, inside functions:")


@pytest.mark.parametrize("peer", ["torch", "jax", "tinygrad", "tensorflow"])
def test_no_peer_is_imported(peer: str) -> None:
    broken = [each for each in IMPORTS if _within(each.imported, peer) and each.at_import]
    assert not broken, _listed(broken, f"{peer} is for tests and benchmarks:")


def test_import_jitnet_brings_no_peer_along() -> None:
    code = (
        "import sys, jitnet\n"
        "heavy = {'numba', 'torch', 'jax', 'tinygrad', 'matplotlib', 'rich', 'pytest'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == ""
