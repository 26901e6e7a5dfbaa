"""One kernel as a line of instructions: functions put in where they are called, memory laid out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tests.ptx_machine.parse import (
    SIZES,
    SPACES,
    Address,
    Function,
    Group,
    Instruction,
    Module,
    Name,
    Operand,
    PtxError,
    Register,
    Variable,
    parse,
)

SPECIAL = ("%tid.", "%ntid.", "%ctaid.", "%nctaid.", "%laneid", "%warpid")
MODULE = 1 << 38  # where variables of global memory lie
SHARED_FIRST = 1024  # the first bytes of a block's memory are the system's
GAP = 256  # between variables, so that what runs over one does not reach the next


@dataclass(frozen=True)
class Layout:
    """Where variables of one space lie: name -> first byte and size."""

    places: Mapping[str, tuple[int, int]]
    first: int
    end: int


@dataclass(frozen=True)
class Program:
    """A kernel that can run.

    targets: the instruction of each label.  widths: bytes of each register, or of all with a
    prefix; 0 for predicates.  parameters: of each, the register that holds it.  cell: the least
    number of bytes that an instruction reads or writes.  most_threads: of a block.
    """

    name: str
    code: tuple[Instruction, ...]
    targets: Mapping[str, int]
    widths: Mapping[str, int]
    parameters: tuple[str, ...]
    spaces: Mapping[str, Layout]
    initial: Mapping[int, bytes]
    cell: int
    most_threads: int


def link(text: str) -> Program:
    """Return the only kernel of some PTX."""
    module = parse(text)
    (entry,) = (function for function in module.functions.values() if function.is_entry)
    linker = _Linker(module)
    linker.put(entry, "", {name: name for name in entry.parameters})
    variables = [*module.variables, *linker.variables]
    spaces = {
        "shared": _layout(variables, "shared", SHARED_FIRST),
        "local": _layout(variables, "local", SHARED_FIRST),
        "global": _layout(variables, "global", MODULE),
        "const": _layout(variables, "const", MODULE << 1),
    }
    initial = {
        spaces[each.space].places[each.name][0]: each.data for each in variables if each.data
    }
    widths = {name: 0 if kind == "pred" else SIZES[kind] for name, kind in linker.kinds.items()}
    widths["=carry"] = 0
    for name, size in entry.parameters.items():
        widths[f"={name}+0"] = size
    parameters = tuple(f"={name}+0" for name in entry.parameters)
    code = tuple(linker.code)
    cell = min([8, *(_reach(each) for each in code)])
    return Program(
        entry.name,
        code,
        linker.targets,
        widths,
        parameters,
        spaces,
        initial,
        cell,
        entry.most_threads,
    )


def _layout(variables: list[Variable], space: str, first: int) -> Layout:
    places, at = {}, first
    for each in variables:
        if each.space == space:
            align = max(each.align, 1)
            at = -(-at // align) * align
            places[each.name] = at, each.size
            at += each.size + GAP
    return Layout(places, first, -(-at // 64) * 64)


def _reach(instruction: Instruction) -> int:
    """Return how many bytes an element has that an instruction reads or writes; many if none."""
    parts = instruction.parts
    if parts[0] in ("ld", "st", "atom", "red") and any(part in SPACES for part in parts):
        return SIZES[parts[-1]]
    return 4 if parts[0] == "cp" else 8


def _owned(register: str, own: str) -> str:
    """Return the name of a function's register; those of inline assembly may have no %."""
    return "%" + own + register.removeprefix("%")


class _Linker:
    def __init__(self, module: Module) -> None:
        self._module = module
        self._calls = 0
        self.code: list[Instruction] = []
        self.targets: dict[str, int] = {}
        self.kinds: dict[str, str] = {}
        self.variables: list[Variable] = []

    def put(self, function: Function, own: str, parameters: Mapping[str, str]) -> None:
        """Append a function.

        own: what its names get in front.  parameters: what stands for those, and for results.
        """
        labels = {at: [] for at in function.labels.values()}  # type: dict[int, list[str]]
        for label, at in function.labels.items():
            labels[at].append(label)
        for name, kind in function.registers.items():
            self.kinds[_owned(name, own)] = kind
        self.variables += [replace(each, name=own + each.name) for each in function.variables]
        local = {each.name for each in function.variables}
        for number, instruction in enumerate(function.instructions):
            for label in labels.get(number, ()):
                self.targets[own + label] = len(self.code)
            self._add(function, instruction, own, parameters, local)
        for label in labels.get(len(function.instructions), ()):
            self.targets[own + label] = len(self.code)
        self.targets[own + "end"] = len(self.code)

    def _add(
        self,
        function: Function,
        instruction: Instruction,
        own: str,
        parameters: Mapping[str, str],
        local: set[str],
    ) -> None:
        def renamed(operand: Operand) -> Operand:
            match operand:
                case Register(name):
                    special = name.startswith(SPECIAL)
                    return operand if special else Register(_owned(name, own))
                case Group(items):
                    return Group(tuple(map(renamed, items)))
                case Address(base, offset):
                    found = renamed(base)
                    assert not isinstance(found, Address | Group)
                    return Address(found, offset)
                case Name(name):
                    if name in function.registers:
                        return Register(_owned(name, own))
                    if name in parameters:
                        return Name(parameters[name])
                    known = name in function.labels or name in local
                    return Name(own + name) if known or self._is_new(name) else operand
            return operand

        operands = tuple(map(renamed, instruction.operands))
        guard = instruction.guard
        if guard is not None:
            guard = (_owned(guard[0], own), guard[1])
        made = replace(instruction, operands=operands, guard=guard)
        parts = instruction.parts
        if parts[0] == "call":
            self._call(made)
        elif parts[0] in ("ld", "st") and "param" in parts:
            self.code.append(self._moved(made))
        elif parts[0] == "ret" and own:
            self.code.append(replace(made, name="bra", operands=(Name(own + "end"),)))
        else:
            self.code.append(made)

    def _is_new(self, name: str) -> bool:
        """Whether a name is one of a call's parameters, which are declared where it stands."""
        known = {each.name for each in self._module.variables}
        return name not in known and name not in self._module.functions

    def _moved(self, instruction: Instruction) -> Instruction:
        """Return a move from or to the register that stands for a parameter."""
        kind = instruction.parts[-1]
        operands = []
        for each in instruction.operands:
            if isinstance(each, Address):
                assert isinstance(each.base, Name), instruction.text
                name = f"={each.base.name}+{each.offset}"
                self.kinds.setdefault(name, kind)
                each = Register(name)
            operands.append(each)
        return replace(instruction, name=f"mov.{kind}", operands=tuple(operands))

    def _call(self, instruction: Instruction) -> None:
        match instruction.operands:
            case (Group(results), Name(name), Group(given)):
                pass
            case (Name(name), Group(given)):
                results = ()
            case (Name(name),):
                results = given = ()
            case _:
                raise PtxError(f"an unknown form of call: {instruction.text}")
        if instruction.guard is not None or name not in self._module.functions:
            raise PtxError(f"a call that cannot be put in: {instruction.text}")
        function = self._module.functions[name]
        places = zip((*function.returns, *function.parameters), (*results, *given), strict=True)
        self._calls += 1
        names = {own: each.name for own, each in places if isinstance(each, Name)}
        self.put(function, f"call{self._calls}~", names)
