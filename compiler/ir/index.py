"""Index arithmetic: affine sums over loop variables, floor divisions, remainders and lookups."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

from jitnet.runtime.dataclass import dataclass


@dataclass(frozen=True)
class Var:
    """A loop variable that counts 0, 1, ... extent - 1."""

    name: str
    extent: int

    @property
    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value."""
        return 0, max(self.extent - 1, 0)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class FloorDiv:
    """value // by, value not negative."""

    value: Index
    by: int

    @property
    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value."""
        low, high = self.value.bounds
        return low // self.by, high // self.by

    def __str__(self) -> str:
        return f"({self.value})//{self.by}"


@dataclass(frozen=True)
class Mod:
    """value % by, value not negative."""

    value: Index
    by: int

    @property
    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value."""
        return 0, min(self.by - 1, self.value.bounds[1])

    def __str__(self) -> str:
        return f"({self.value})%{self.by}"


@dataclass(frozen=True)
class Lookup:
    """An integer read from a tensor (an Expr), known to lie in 0 .. size - 1."""

    expr: Any
    size: int

    @property
    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value."""
        return 0, max(self.size - 1, 0)

    def __str__(self) -> str:
        return f"[{self.expr}]"


Atom = Var | FloorDiv | Mod | Lookup


@dataclass(frozen=True)
class Index:
    """const + the sum of coefficient * atom; equal sums compare equal."""

    const: int = 0
    terms: tuple[tuple[Atom, int], ...] = ()

    @cached_property
    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value that the sum can have."""
        low = high = self.const
        for atom, factor in self.terms:
            ends = [factor * end for end in atom.bounds]
            low, high = low + min(ends), high + max(ends)
        return low, high

    @cached_property
    def vars(self) -> frozenset[Var]:
        """Every loop variable inside, those in divisions and lookups too."""
        found: set[Var] = set()
        for atom, _ in self.terms:
            found |= atom_vars(atom)
        return frozenset(found)

    def coefficient(self, var: Var) -> int | None:
        """Factor of var if the index is affine in it; None if a division or lookup holds var."""
        factor = 0
        for atom, term in self.terms:
            if atom == var:
                factor = term
            elif var in atom_vars(atom):
                return None
        return factor

    @property
    def is_affine(self) -> bool:
        """Whether only loop variables are summed."""
        return all(isinstance(atom, Var) for atom, _ in self.terms)

    def __add__(self, other: Index | int) -> Index:
        if isinstance(other, int):
            return Index(self.const + other, self.terms) if other else self
        return _sum(self.const + other.const, (*self.terms, *other.terms))

    def __sub__(self, other: Index | int) -> Index:
        return self + (-other if isinstance(other, int) else other * -1)

    def __mul__(self, factor: int) -> Index:
        if factor == 0:
            return Index(0)
        return Index(self.const * factor, tuple((a, f * factor) for a, f in self.terms))

    def __floordiv__(self, by: int) -> Index:
        return self.divmod(by)[0]

    def __mod__(self, by: int) -> Index:
        return self.divmod(by)[1]

    def divmod(self, by: int) -> tuple[Index, Index]:
        """Return (self // by, self % by), simplified by what is known of the ranges."""
        if by == 1:
            return self, Index(0)
        whole = Index(self.const // by, tuple((a, f // by) for a, f in self.terms if f % by == 0))
        rest = Index(self.const % by, tuple((a, f) for a, f in self.terms if f % by))
        low, high = rest.bounds
        if low < 0:
            lift = -(low // by)
            whole, rest, low, high = (
                whole - lift,
                rest + lift * by,
                low + lift * by,
                high + lift * by,
            )
        if high < by:
            return whole, rest
        factors = [f for _, f in rest.terms]
        common = math.gcd(by, *factors)
        if common > 1 and rest.const % common == 0:
            small = Index(rest.const // common, tuple((a, f // common) for a, f in rest.terms))
            quotient, remainder = small.divmod(by // common)
            return whole + quotient, remainder * common
        if common > 1:
            extra = rest.const % common
            quotient, remainder = (rest - extra).divmod(by)
            return whole + quotient, remainder + extra
        return whole + _atom(FloorDiv(rest, by)), _atom(Mod(rest, by))

    def __str__(self) -> str:
        parts = [f"{atom}" if f == 1 else f"{atom}*{f}" for atom, f in self.terms]
        if self.const or not parts:
            parts.append(str(self.const))
        return " + ".join(parts).replace("+ -", "- ")


def atom_vars(atom: Atom) -> frozenset[Var]:
    """Return the loop variables that an atom depends on."""
    match atom:
        case Var():
            return frozenset((atom,))
        case FloorDiv() | Mod():
            return atom.value.vars
        case Lookup():
            vars_: frozenset[Var] = atom.expr.vars
            return vars_


def _atom(atom: Atom) -> Index:
    return Index(0, ((atom, 1),))


def of(value: Var | int) -> Index:
    """Return a loop variable (0 when it has one value only) or an integer as an Index."""
    if isinstance(value, int):
        return Index(value)
    return Index(0) if value.extent <= 1 else _atom(value)


def lookup(expr: Any, size: int) -> Index:
    """Return the integer that a tensor expression gives, as an Index."""
    return _atom(Lookup(expr, size))


def _sum(const: int, terms: tuple[tuple[Atom, int], ...]) -> Index:
    factors: dict[Atom, int] = {}
    for atom, factor in terms:
        factors[atom] = factors.get(atom, 0) + factor
    _join_divisions(factors)
    expanded = [(a, f) for a, f in factors.items() if f]
    return Index(const, tuple(sorted(expanded, key=_order)))


def _order(term: tuple[Atom, int]) -> tuple[int, str]:
    return isinstance(term[0], Lookup), str(term[0])


def _join_divisions(factors: dict[Atom, int]) -> None:
    """(x // c) * c * f + (x % c) * f -> x * f."""
    for atom in list(factors):
        if not isinstance(atom, Mod) or not factors.get(atom):
            continue
        partner = FloorDiv(atom.value, atom.by)
        factor = factors[atom]
        if factors.get(partner, 0) != factor * atom.by:
            continue
        if atom.value.const:
            continue
        del factors[atom], factors[partner]
        for inner, inner_factor in atom.value.terms:
            factors[inner] = factors.get(inner, 0) + inner_factor * factor


def ravel(index: tuple[Index, ...], shape: tuple[int, ...]) -> Index:
    """Return the row-major position of an index tuple."""
    flat = Index(0)
    for position, size in zip(index, shape, strict=True):
        flat = flat * size + position
    return flat


def unravel(flat: Index, shape: tuple[int, ...]) -> tuple[Index, ...]:
    """Return the index tuple at a row-major position."""
    out: list[Index] = []
    for size in reversed(shape):
        if size == 1:
            out.append(Index(0))
            continue
        flat, rest = flat.divmod(size)
        out.append(rest)
    return tuple(reversed(out))
