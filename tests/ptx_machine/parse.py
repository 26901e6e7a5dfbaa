"""PTX text as instructions: what NVIDIA's compiler writes, not all that one could write by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod

MOST_THREADS = 1024  # of a block, on any GPU
SPACES = ("global", "shared", "local", "param", "const")
SIZES = {"b8": 1, "b16": 2, "b32": 4, "b64": 8, "pred": 1}
for _size in (8, 16, 32, 64):
    SIZES |= {f"{kind}{_size}": _size // 8 for kind in "usf"}
SIZES["bf16"] = 2


class PtxError(Exception):
    """What a kernel did that a GPU forbids, or that this machine does not know."""


@dataclass(frozen=True)
class Register:
    """A register of a lane, or one of those that say where the lane is, such as %tid.x."""

    name: str


@dataclass(frozen=True)
class Number:
    """A constant: its bits; kind is "int", "f32" or "f64"."""

    bits: int
    kind: str = "int"


@dataclass(frozen=True)
class Name:
    """A label, a parameter, a function or a variable of memory."""

    name: str


@dataclass(frozen=True)
class Address:
    """What stands in brackets."""

    base: Register | Name | Number
    offset: int


@dataclass(frozen=True)
class Group:
    """Operands in braces, or on both sides of a |."""

    items: tuple[Operand, ...]


Operand = Register | Number | Name | Address | Group


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    guard: the predicate without which it does nothing, and whether that is turned around.
    """

    name: str
    operands: tuple[Operand, ...]
    guard: tuple[str, bool] | None
    text: str

    @property
    def parts(self) -> list[str]:
        """The words of its name."""
        return self.name.split(".")


@dataclass(frozen=True)
class Variable:
    """Declared memory.

    data: what is in it from the start, if that is said.
    """

    name: str
    space: str
    align: int
    size: int
    data: bytes | None = None


@dataclass
class Function:
    """A kernel, or a function that kernels call.

    parameters: name and bytes of each.  returns: names.  labels: the instruction that each stands
    before.  registers: the declared type of each, or of all that begin so.  most_threads: of a
    block.
    """

    name: str
    is_entry: bool
    parameters: dict[str, int]
    returns: tuple[str, ...]
    most_threads: int
    instructions: list[Instruction] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    registers: dict[str, str] = field(default_factory=dict)
    variables: list[Variable] = field(default_factory=list)


@dataclass(frozen=True)
class Module:
    """All of a text."""

    functions: dict[str, Function]
    variables: tuple[Variable, ...]


_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_LABEL = re.compile(r"\s*([$\w]+):(?!:)")
_HEADER = re.compile(r"\.(entry|func)\b")
_PARAMETER = re.compile(r"\.param\s+(?:\.align\s+\d+\s+)?\.(\w+)\s+([$\w]+)(?:\[(\d+)\])?")
_VARIABLE = re.compile(
    r"\.(global|shared|local|const)\s+(?:\.align\s+(\d+)\s+)?\.(\w+)\s+([$\w]+)"
    r"(?:\[(\d*)\])?\s*(?:=\s*(.*))?$",
    re.DOTALL,
)
_REGISTER = re.compile(r"\.reg\s+\.(\w+)\s+(.*)", re.DOTALL)
_INSTRUCTION = re.compile(r"(?:@(!?)(%[$\w]+)\s+)?([a-z][\w.:]*)\s*(.*)", re.DOTALL)
_IGNORED = (".pragma", ".loc", ".file", ".param")


def parse(text: str) -> Module:
    """Return a module's functions and variables."""
    text = _COMMENT.sub("", text)
    functions: dict[str, Function] = {}
    variables: list[Variable] = []
    at = 0
    text = re.sub(r"^\s*\.(version|target|address_size)[^\n]*$", "", text, flags=re.MULTILINE)
    while at < len(text):
        end, opening = text.find(";", at), text.find("{", at)
        if end < 0:
            break
        header = text[at : min(end, opening) if opening >= 0 else end]
        if not _HEADER.search(header):
            variables += _variables(text[at:end])
            at = end + 1
        elif opening < 0 or end < opening:  # a function that is said to come later
            at = end + 1
        else:
            closing = _closing(text, opening)
            function = _function(header)
            _body(function, text[opening + 1 : closing])
            functions[function.name] = function
            at = closing + 1
    return Module(functions, tuple(variables))


def _closing(text: str, opening: int) -> int:
    depth = 0
    for found in re.finditer(r"[{}]", text[opening:]):
        depth += 1 if found[0] == "{" else -1
        if depth == 0:
            return opening + found.start()
    raise PtxError("a brace is never closed")


def _function(header: str) -> Function:
    is_entry = ".entry" in header
    rest = header[_HEADER.search(header).end() :].strip()  # type: ignore[union-attr]
    returns: tuple[str, ...] = ()
    if rest.startswith("("):
        given, rest = rest[1:].split(")", 1)
        returns = tuple(name for _, name, _ in _PARAMETER.findall(given))
    name, _, given = rest.partition("(")
    parameters = {
        each: SIZES[kind] * int(count or 1) for kind, each, count in _PARAMETER.findall(given)
    }
    limit = re.search(r"\.(?:max|req)ntid\s+([\d, ]+)", given)
    most = prod(map(int, limit[1].split(","))) if limit else MOST_THREADS
    return Function(name.strip(), is_entry, parameters, returns, most)


def _body(function: Function, text: str) -> None:
    for kind, statement in _statements(text):
        if kind == "label":
            function.labels[statement] = len(function.instructions)
        elif statement.startswith("."):
            _directive(function, statement)
        else:
            function.instructions.append(_instruction(statement))


def _statements(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        label = _LABEL.match(text, at)
        if label:
            yield "label", label[1]
            at = label.end()
        elif text[at] in "{} \t\n\r":  # braces between instructions say where names are known
            at += 1
        else:
            end = text.index(";", at)
            yield "statement", " ".join(text[at:end].split())
            at = end + 1


def _directive(function: Function, text: str) -> None:
    if text.split()[0] in _IGNORED:
        return
    register = _REGISTER.match(text)
    if register:
        for name in register[2].split(","):
            function.registers[name.strip().split("<")[0]] = register[1]
        return
    found = _variables(text)
    if not found:
        raise PtxError(f"an unknown directive: {text}")
    function.variables += found


def _variables(text: str) -> list[Variable]:
    found = _VARIABLE.search(text.strip())
    if not found:
        return []
    space, align, kind, name, count, data = found.groups()
    size = SIZES[kind] * int(count or 1)
    initial = None
    if data:
        numbers = [int(each, 0) for each in data.strip(" {}\n").replace(" ", "").split(",")]
        mask = (1 << 8 * SIZES[kind]) - 1
        initial = b"".join((n & mask).to_bytes(SIZES[kind], "little") for n in numbers)
        initial = initial.ljust(size, b"\0")
    return [Variable(name, space, int(align or SIZES[kind]), size, initial)]


def _instruction(text: str) -> Instruction:
    found = _INSTRUCTION.fullmatch(text)
    if not found:
        raise PtxError(f"no instruction: {text}")
    negated, guard, name, rest = found.groups()
    operands = tuple(_operand(each) for each in _split(rest, ",")) if rest else ()
    return Instruction(name, operands, (guard, bool(negated)) if guard else None, text)


def _split(text: str, mark: str) -> list[str]:
    """Return what marks divide, outside of brackets."""
    parts, depth, start = [], 0, 0
    for at, letter in enumerate(text):
        depth += (letter in "{[(") - (letter in "}])")
        if letter == mark and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    return [part.strip() for part in (*parts, text[start:])]


def _operand(text: str) -> Operand:
    if text[0] in "{(":
        inside = text[1:-1].strip()
        return Group(tuple(map(_operand, _split(inside, ","))) if inside else ())
    if text[0] == "[":
        base, _, offset = text[1:-1].partition("+")
        found = _operand(base.strip())
        assert isinstance(found, Register | Name | Number), text
        return Address(found, int(offset or 0))
    if "|" in text:
        return Group(tuple(_operand(each.strip()) for each in text.split("|")))
    if text[0] == "%":
        return Register(text)
    if text[:2].lower() in ("0f", "0d"):
        return Number(int(text[2:], 16), "f32" if text[1] in "fF" else "f64")
    if text[0].isdigit() or text[0] == "-":
        return Number(int(text.removesuffix("U"), 0))
    return Name(text)
