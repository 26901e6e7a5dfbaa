"""What single instructions of PTX give, as the PTX ISA says."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tests.ptx_machine.arithmetic import TYPES, meaning_of


def compute(name: str, *args: object) -> np.ndarray:
    """Return what an instruction gives."""
    meaning = meaning_of(name)
    given = [np.array([arg], TYPES[kind]) for arg, kind in zip(args, meaning.reads, strict=True)]
    with np.errstate(all="ignore"):
        return np.asarray(meaning.compute(*given))[0]


ANSWERS = [
    ("mul.hi.u64", (2**64 - 1, 2**64 - 3), (2**64 - 1) * (2**64 - 3) >> 64),
    ("mul.hi.s64", (-(2**62) - 5, 2**61 + 9), (-(2**62) - 5) * (2**61 + 9) >> 64),
    ("mul.hi.s32", (-7, 2**30), -7 * 2**30 >> 32),
    ("mul.wide.s32", (-7, 2**30), -7 * 2**30),
    ("div.s32", (-7, 2), -3),
    ("rem.s64", (-7, 2), -1),
    ("shl.b32", (1, 40), 0),
    ("shr.s32", (-8, 40), -1),
    ("shr.u32", (0x80000000, 31), 1),
    ("bfi.b32", (0b101, 0xFF00, 4, 3), 0xFF50),
    ("bfe.s32", (0b1110000, 4, 3), -1),
    ("bfe.u32", (0b1110000, 4, 3), 7),
    ("prmt.b32", (0x33221100, 0x77665544, 0x7610), 0x77661100),
    ("prmt.b32", (0x000080FF, 0, 0x9818), 0xFFFF80FF),
    ("brev.b32", (1,), 0x80000000),
    ("popc.b64", (2**64 - 1,), 64),
    ("clz.b32", (1,), 31),
    ("shf.l.wrap.b32", (0x80000000, 1, 1), 3),
    ("lop3.b32", (0b1100, 0b1010, 0b0110, 0xEA), 0b1100 & 0b1010 | 0b0110),
    ("dp2a.lo.u32.u32", (0x00030002, 0x07060504, 1), 2 * 4 + 3 * 5 + 1),
    ("dp2a.hi.s32.u32", (-1, 0x07060504, 1), -6 - 7 + 1),
    ("dp4a.u32.s32", (0x04030201, -1, 1), -(1 + 2 + 3 + 4) + 1),
    ("selp.b32", (3, 4, False), 4),
    ("setp.ltu.f32", (np.nan, 1), True),
    ("setp.ne.f32", (np.nan, 1), False),
    ("setp.neu.f32", (np.nan, 1), True),
    ("setp.hi.u32", (2**32 - 1, 1), True),
    ("copysign.f32", (-0.0, 2), -2),
    ("max.f32", (np.nan, 1), 1),
    ("cvt.rzi.s32.f32", (-2.9,), -2),
    ("cvt.rni.s32.f32", (2.5,), 2),
    ("cvt.rzi.u32.f32", (-3.0,), 0),
    ("cvt.rzi.s32.f32", (1e20,), 2**31 - 1),
    ("cvt.rzi.s64.f32", (np.nan,), -(2**63)),
    ("cvt.rzi.s32.f32", (np.nan,), 0),
    ("cvt.sat.f32.f32", (np.nan,), 0),
    ("cvt.u16.u32", (0x12345,), 0x2345),
    ("cvt.s64.s32", (-1,), -1),
    ("cvt.rn.f32.u64", (2**64 - 1,), 2.0**64),
    ("cvt.rna.tf32.f32", (1 + 2**-11,), (np.float32(1 + 2**-10)).view(np.uint32)),
    ("cvt.rn.bf16.f32", (1 + 2**-8,), 0x3F80),
    ("ex2.approx.ftz.f32", (-140.0,), 0),
    ("ex2.approx.f32", (-140.0,), 2.0**-140),
]


@pytest.mark.parametrize(("name", "args", "wanted"), ANSWERS, ids=lambda each: str(each))
def test_answers(name: str, args: tuple[object, ...], wanted: object) -> None:
    """One instruction, one answer of the PTX ISA."""
    assert compute(name, *args) == wanted


ROUNDINGS = ("rm", "rn", "rp")


@pytest.mark.parametrize("kind", ["f32", "f64"])
def test_fma_is_rounded_once(kind: str) -> None:
    """Down and up are the neighbours of the exact result, to the nearest is the nearer one."""
    rng = np.random.default_rng(0)
    dtype = TYPES[kind].type
    for _ in range(200):
        a, b = (dtype(x) for x in rng.standard_normal(2))
        c = dtype(-a * b * dtype(1 + rng.standard_normal() * rng.choice([1e-7, 1, 1e7])))
        exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
        down, near, up = (Fraction(float(compute(f"fma.{r}.{kind}", a, b, c))) for r in ROUNDINGS)
        assert down <= exact <= up
        assert near in (down, up)
        assert abs(near - exact) == min(abs(down - exact), abs(up - exact))
