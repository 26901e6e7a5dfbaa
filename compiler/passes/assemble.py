"""From a Graph to kernels in order: where each value lives, what each kernel does, what waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod

from jitnet.compiler import ops
from jitnet.compiler.ir.dims import contiguous_strides
from jitnet.compiler.ir.errors import HostError
from jitnet.compiler.ir.graph import Graph, Node
from jitnet.compiler.ir.host import Block, HostCall
from jitnet.compiler.ir.index import of
from jitnet.compiler.ir.kernel import Code, Kernel, parameters_of
from jitnet.compiler.ir.loops import Buffer, CallHost, Check, For, Stmt
from jitnet.compiler.ir.lowering import Joined, Reduction
from jitnet.runtime.dataclass import dataclass

from .codes import Codes
from .demands import demands, surely_holds
from .fuse import KINDS, Fuser, Group, space_vars, spread, squeeze
from .locals import name_locals
from .materialize import CHEAP, materialize
from .orders import place_of
from .parts import blocks, parts_of
from .patterns import Patterns
from .sequence import Task, in_order
from .storage import Reader, Storage, is_inline
from .work import ALONE_BELOW, OPERATIONS_A_CYCLE, Work

Message = tuple[type[Exception], str]


@dataclass(frozen=True)
class Plan:
    """Kernels in an order that respects every dependence, and the memory they name."""

    kernels: tuple[Kernel, ...]
    constants: tuple[Node, ...]  # in the slots after the outputs
    messages: tuple[Message, ...]  # of status 1, 2, ...: what to tell the user


class Assembler:
    """Holds the decisions of one graph while its kernels are made."""

    def __init__(
        self,
        graph: Graph,
        scratch_bytes: int | None = None,
        narrow_operands: bool = False,
        early_apart: bool = True,  # costs a kernel, which is little beside a barrier
    ) -> None:
        self.graph = with_own_outputs(graph)
        self._scratch_bytes = scratch_bytes  # of one kernel at most; None: as it wants
        self.constants: list[Node] = []
        self.given = self._given()
        self.layout = materialize(self.graph, self.given, narrow_operands)
        self._kept = {*self.layout.roots, *self.given}
        patterns = Patterns(self._kept)
        self.fuser = Fuser(self.layout.roots, self.given, patterns, early_apart)
        self.storage: dict[Node, Storage] = dict(self.given)
        self.late: set[Node] = set()  # outputs into inputs that are copied there at the end
        self.messages: list[Message] = []
        self._check_nodes: dict[Task, Node] = {}
        self.work = Work(self.layout.draft, patterns)

    def plan(self) -> Plan:
        """Return the kernels in order."""
        tasks = [*self._checks(), *self._tasks()]
        order = self._order(tasks)
        self._place_roots()
        alone = sum(map(self.work.cycles, self.fuser.groups)) < ALONE_BELOW
        patterns = Patterns({*self.layout.roots, *self.storage})
        codes = Codes(patterns, self.storage, alone)
        kernels = [kernel for task in order for kernel in self._kernels(task, codes)]
        kernels.extend(self._late_copies(codes))
        return Plan(tuple(kernels), tuple(self.constants), tuple(self.messages))

    # -- memory given from outside ------------------------------------------------------------

    def _given(self) -> dict[Node, Storage]:
        given: dict[Node, Storage] = {}
        for number, item in enumerate(self.graph.inputs):
            size = _span(item.node.shape, item.strides)
            name = item.name.replace(" ", "_")
            buffer = Buffer(name, item.node.dtype, size, "slot", 1 + number)
            given[item.node] = Storage(buffer, item.strides)
        fresh = sum(1 for output in self.graph.outputs if output.into is None)
        for node in self.graph.nodes:
            if node.op is not ops.constant or not node.shape or node in given:
                continue
            slot = 1 + len(self.graph.inputs) + fresh + len(self.constants)
            buffer = Buffer(
                f"constant{len(self.constants)}", node.dtype, node.type.numel, "slot", slot
            )
            given[node] = Storage(buffer, contiguous_strides(node.shape))
            self.constants.append(node)
        return given

    # -- tasks and their order ----------------------------------------------------------------

    def _tasks(self) -> list[Task]:
        tasks: list[Task] = []
        for group in self.fuser.groups:
            reads = {read.node for root in group.roots for read in self.fuser.reads(root)}
            tasks.append(Task(reads - set(group.roots), list(group.roots), group))
        return tasks

    def _checks(self) -> list[Task]:
        """Return one task for each demand on data that is not known to hold."""
        tasks: list[Task] = []
        for demand in demands(self.graph):
            node = demand.node
            place = spread(node.shape, [of(var) for var in space_vars(squeeze(node.shape))])
            expr = self._index_reader(self.layout.draft).read(node, place)
            if surely_holds(demand, expr):
                continue
            self.messages.append((demand.error, demand.text))
            check = Check(expr, demand.low, demand.high, len(self.messages))
            task = Task(set(_sources(node, self._looked_up())), [], None, check)
            self._check_nodes[task] = node
            tasks.append(task)
        return tasks

    def _looked_up(self) -> set[Node]:
        """Return what a check reads from memory; the rest it computes again, to run early."""
        return {root for root in self.layout.roots if not is_inline(root)} | set(self.given)

    def _index_reader(self, storage: dict[Node, Storage]) -> Reader:
        stop = self._looked_up()
        return Reader({node: place for node, place in storage.items() if node in stop})

    def _order(self, tasks: list[Task]) -> list[Task]:
        """Return the tasks, each after what it needs and before what would overwrite its input."""
        while True:
            self._link(tasks)
            order = in_order(tasks, self._passing())
            if len(order) == len(tasks):
                return order
            stuck = [task for task in tasks if task not in order]
            blocked = next(
                node
                for task in stuck
                for node in task.writes
                if node in self._into() and node not in self.late
            )
            self.late.add(blocked)

    def _passing(self) -> dict[Node, int]:
        """Return the bytes of each value that kernels hand on to one another, and nobody else."""
        elsewhere = {output.node for output in self.graph.outputs} - self.late
        return {
            root: root.type.nbytes
            for root in self.layout.roots
            if root not in elsewhere and self.fuser.is_read_outside(root)
        }

    def _into(self) -> dict[Node, int]:
        """Return the outputs that overwrite an input, and which."""
        return {o.node: o.into for o in self.graph.outputs if o.into is not None}

    def _link(self, tasks: list[Task]) -> None:
        writer = {node: task for task in tasks for node in task.writes}
        readers: dict[Node, set[Task]] = {}
        into = self._into()
        checks = [task for task in tasks if task.may_fail]
        for task in tasks:
            task.after = {writer[node] for node in task.reads if node in writer}
            for node in task.reads:
                readers.setdefault(node, set()).add(task)
        for node, number in into.items():
            if node in self.late:
                continue
            task = writer[node]
            old = self.graph.inputs[number].node
            if not self._reads_in_step(task, node, old):
                self.late.add(node)
                continue
            task.after |= readers.get(old, set())
            task.after |= set(checks)
        for task in tasks:
            task.after.discard(task)

    def _reads_in_step(self, task: Task, node: Node, old: Node) -> bool:
        """Whether the kernel that overwrites `old` reads of it only the element it is writing."""
        group = task.group
        if group is None or old not in task.reads:
            return True
        if group.kind == "scatter":
            return self._puts_over(node, old)
        for root in group.roots:
            if type(root.op.lower) in KINDS:
                if any(read.node is old for read in self.fuser.reads(root)):
                    return False
                continue
            for read in self.fuser.reads(root):
                if read.node is not old:
                    continue
                own = tuple(of(var) for var in space_vars(squeeze(node.shape)))
                same_space = squeeze(root.shape) == squeeze(node.shape)
                if isinstance(root.op.lower, Reduction) or not same_space or read.place != own:
                    return False
                if group.levels[root] > group.levels[node]:
                    return False
        return True

    def _puts_over(self, node: Node, old: Node) -> bool:
        """Whether a put changes some elements of `old` itself, and looks nowhere else in it."""
        x, index, value = node.args
        place = place_of(node.shape)
        if not self.given[old].holds(Reader(self.layout.draft).read(x, place), place):
            return False
        stop = self._kept
        return old not in {*_sources(index, stop), *_sources(value, stop)}

    # -- memory of the kernels' results -------------------------------------------------------

    def _place_roots(self) -> None:
        slots: dict[Node, Storage] = {}
        slot = 1 + len(self.graph.inputs)
        for output in self.graph.outputs:
            node = output.node
            if output.into is None:
                buffer = Buffer(_plain(output.name), node.dtype, node.type.numel, "slot", slot)
                slots[node] = Storage(buffer, contiguous_strides(node.shape))
                slot += 1
            elif node not in self.late:
                slots[node] = self.given[self.graph.inputs[output.into].node]
        checked = self._check_reads()
        names = {node: f"t{number}" for number, node in enumerate(self.layout.roots)}
        for root in reversed(self.layout.roots):
            if isinstance(root.op.lower, Joined) and root not in self.layout.parts:
                self.storage[root] = slots.get(root) or self._in_arena(root, names[root])
                self.storage.update(parts_of(root, self.storage[root]))
        for group in self.fuser.groups:
            room = self._scratch_bytes
            for root in group.roots:
                if root in self.storage:
                    continue
                if root in slots:
                    self.storage[root] = slots[root]
                elif root in self.late or root in checked or self.fuser.is_read_outside(root):
                    self.storage[root] = self._in_arena(root, names[root])
                elif self._read_later(group, root):
                    kept = self._in_scratch(group, root, names[root])
                    size = kept.buffer.size * kept.buffer.dtype.size
                    if room is not None and size > room:
                        continue  # computed again where it is read
                    room = None if room is None else room - size
                    self.storage[root] = kept
        self.storage.update(blocks(self.graph.nodes, self.storage))

    def _check_reads(self) -> set[Node]:
        return {node for task in self._check_nodes for node in task.reads}

    def _read_later(self, group: Group, root: Node) -> bool:
        """Whether a later loop over the same row reads a value too costly to compute again."""
        if isinstance(root.op.lower, Reduction) or type(root.op.lower) in KINDS:
            return False
        if group.is_row_value(root):
            return False
        later = any(
            read.node is root and group.levels[reader] > group.levels[root]
            for reader in group.roots
            for read in self.fuser.reads(reader)
        )
        return later and self.work.operations(root) > CHEAP

    def _in_arena(self, root: Node, name: str) -> Storage:
        strides = self.layout.draft[root].strides
        return Storage(Buffer(name, root.dtype, root.type.numel, "arena"), strides)

    def _in_scratch(self, group: Group, root: Node, name: str) -> Storage:
        sizes = [size if axis in group.axes else 1 for axis, size in enumerate(group.space)]
        packed = contiguous_strides(tuple(sizes))
        kept = [step if axis in group.axes else 0 for axis, step in enumerate(packed)]
        rest = iter(kept)
        strides = tuple(0 if size == 1 else next(rest) for size in root.shape)
        return Storage(Buffer(name, root.dtype, prod(sizes), "scratch"), strides)

    # -- kernels ------------------------------------------------------------------------------

    def _kernels(self, task: Task, codes: Codes) -> Iterator[Kernel]:
        if task.check is not None:
            yield self._check_kernel(task)
            return
        group = task.group
        assert group is not None
        if group.kind == "host":
            yield self._host_kernel(group.roots[0])
            return
        if group.kind == "join" or all(root.type.numel == 0 for root in group.roots):
            return
        fused = _fused(group, self._kept)
        names = tuple(dict.fromkeys(node.op.name for node in fused))
        lines = tuple(dict.fromkeys(node.line for node in fused if node.line))
        title = "_".join(list(dict.fromkeys(root.op.name for root in group.roots))[:3])
        for suffix, code, buffers in codes.of(group, self.work.cycles(group)):
            yield Kernel(title + suffix, code, buffers, names, lines)

    def _check_kernel(self, task: Task) -> Kernel:
        assert task.check is not None
        index = self._check_nodes[task]
        variables = space_vars(squeeze(index.shape))
        place = spread(index.shape, [of(var) for var in variables])
        expr = self._index_reader(self.storage).read(index, place)
        body: tuple[Stmt, ...] = (replace(task.check, expr=expr),)
        for var in reversed(variables):
            body = (For(var, body, "serial"),)
        lines = (index.line,) if index.line else ()
        buffers = parameters_of(body)
        return Kernel(
            "check", Code("", name_locals(body), buffers, True), buffers, ("check",), lines
        )

    def _host_kernel(self, node: Node) -> Kernel:
        """Return the kernel that lets NumPy compute a value."""
        self.messages.append((HostError, node.line))
        values = [(each, self.storage[each]) for each in (*node.args, node)]
        *args, result = [Block(each.dtype, each.shape, place.strides) for each, place in values]
        call = HostCall(node.op.name, tuple(node.params.items()), tuple(args), result)
        operands = tuple((place.buffer, place.offset) for _, place in values)
        body: tuple[Stmt, ...] = (CallHost(call, operands, len(self.messages)),)
        buffers = parameters_of(body)
        names = (f"host {node.op.name}",)
        lines = (node.line,) if node.line else ()
        title = f"host_{node.op.name.replace('.', '_')}"
        return Kernel(title, Code("", body, buffers, True), buffers, names, lines)

    def _late_copies(self, codes: Codes) -> Iterator[Kernel]:
        """Yield kernels that move results computed aside into the inputs that they replace."""
        for output in self.graph.outputs:
            if output.node not in self.late or output.into is None:
                continue
            target = self.given[self.graph.inputs[output.into].node]
            node, source = output.node, self.storage[output.node]
            cycles = node.type.numel // OPERATIONS_A_CYCLE
            _, code, buffers = codes.copy(node, source, target, cycles)
            lines = (node.line,) if node.line else ()
            yield Kernel("copy", code, buffers, ("copy",), lines)


def with_own_outputs(graph: Graph) -> Graph:
    """Return the graph with each output a value of its own: not an input, not another output."""
    taken = {item.node for item in graph.inputs}
    outputs = []
    for output in graph.outputs:
        node = output.node
        if node in taken or node.op is ops.constant:
            node = ops.copy(node)
        taken.add(node)
        outputs.append(replace(output, node=node))
    return replace(graph, outputs=tuple(outputs))


def _sources(node: Node, stop: set[Node]) -> Iterator[Node]:
    stack = [node]
    seen: set[Node] = set()
    while stack:
        current = stack.pop()
        if current in seen:
            continue
        seen.add(current)
        if current in stop:
            yield current
        else:
            stack.extend(current.args)


def _fused(group: Group, stop: set[Node]) -> list[Node]:
    """Return the nodes computed inside a kernel, arguments before users."""
    found: list[Node] = []
    seen: set[Node] = set()

    def visit(node: Node, top: bool) -> None:
        if node in seen or (node in stop and not top):
            return
        seen.add(node)
        for arg in node.args:
            visit(arg, False)
        found.append(node)

    for root in group.roots:
        visit(root, True)
    return found


def _span(shape: Sequence[int], strides: Sequence[int]) -> int:
    """Return how many elements lie between the first and the last of a strided value."""
    if not prod(shape):
        return 0
    return 1 + sum(abs((size - 1) * step) for size, step in zip(shape, strides, strict=True))


def _plain(name: str) -> str:
    return name.replace(" ", "_") or "out"
