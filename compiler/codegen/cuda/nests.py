"""How the work of a kernel is laid out on a grid: what each thread, or team of threads, does.

Loops whose turns may run in any order are counted by the grid. What a turn holds is done by one
thread, unless there are vector loops inside it: those are shared by a team of threads, a warp or a
block, that meet where they reduce.
"""

from __future__ import annotations

from math import prod

from jitnet.compiler.ir.index import Var
from jitnet.compiler.ir.loops import Check, Contract, For, Stmt, walk
from jitnet.runtime.dataclass import dataclass

WARP = 32
LARGEST_TEAM = 512
THREADS = 256  # of a block
SHARED_BYTES = 40 << 10  # for what a row keeps; a block has 48 KiB, and its warps meet there, too


@dataclass(frozen=True)
class Nest:
    """Turns of one body.

    shared: the loop variables that the grid counts, slowest first.  team: threads for each turn.
    """

    shared: tuple[Var, ...]
    body: tuple[Stmt, ...]
    team: int = 1

    @property
    def turns(self) -> int:
        """How often the body runs."""
        return prod(var.extent for var in self.shared)

    @property
    def teams(self) -> int:
        """Teams of a block; a single thread is one."""
        if self.team == 1:
            return min(THREADS, -(-self.turns // WARP) * WARP) or WARP
        return max(1, min(THREADS // self.team, self.turns)) if self.team <= WARP else 1

    @property
    def blocks(self) -> int:
        """Blocks of the grid."""
        return max(1, -(-self.turns // self.teams))

    @property
    def threads(self) -> tuple[int, int]:
        """Threads of a block: of a team, and teams; of single threads, how many there are."""
        return (self.teams, 1) if self.team == 1 else (self.team, self.teams)


def nests_of(body: tuple[Stmt, ...]) -> list[Nest | Contract]:
    """Return the parts of a kernel, each a grid of its own, in order."""
    if all(isinstance(stmt, Contract) or _is_shared(stmt) for stmt in body):
        return [stmt if isinstance(stmt, Contract) else _nest(stmt) for stmt in body]
    return [Nest((), body, _team(body))]


def _nest(stmt: Stmt) -> Nest:
    shared: list[Var] = []
    body: tuple[Stmt, ...] = (stmt,)
    while len(body) == 1 and _is_shared(body[0]):
        (loop,) = body
        assert isinstance(loop, For)
        shared.append(loop.var)
        body = loop.body
    return Nest(tuple(shared), body, _team(body))


def _is_shared(stmt: Stmt) -> bool:
    """Whether a statement is a loop whose turns may run in any order.

    A serial loop is one where the loops right inside it lead to one that threads share, or to
    checks only: nothing is carried from turn to turn.
    """
    if not isinstance(stmt, For):
        return False
    if stmt.kind != "serial":
        return stmt.kind != "unroll"
    inside = stmt.body[0] if len(stmt.body) == 1 else None
    if isinstance(inside, For):
        return inside.kind == "parallel vector" or (inside.kind == "serial" and _is_shared(inside))
    return isinstance(inside, Check)


def _team(body: tuple[Stmt, ...]) -> int:
    """Return how many threads do a body together: one, a warp, or a block of some warps."""
    widths = [
        stmt.var.extent
        for stmt in walk(body)
        if isinstance(stmt, For) and stmt.kind.endswith("vector")
    ]
    if not widths:
        return 1
    wanted = 1 << max(max(widths) // 4 - 1, 0).bit_length()
    return min(max(wanted, WARP), LARGEST_TEAM)
