"""The machine that runs PTX: what it computes, and that each of its checks can fail."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tests.ptx_machine.memory import GlobalMemory
from tests.ptx_machine.parse import PtxError
from tests.ptx_machine.run import Kernel

FIRST = 0x7F00_0000_0000


def kernel(body: str, pointers: int = 1, shared: int = 0) -> Kernel:
    """Return a kernel; %rd1 and so on hold its pointers, %r1 the thread, %r2 the block."""
    given = ", ".join(f".param .u64 p{number}" for number in range(pointers))
    loads = "\n".join(f"ld.param.u64 %rd{n + 1}, [p{n}];" for n in range(pointers))
    memory = f".shared .align 16 .b8 tiles[{shared}];" if shared else ""
    return Kernel(f"""
        .version 9.5
        .target sm_80
        .address_size 64
        {memory}
        .visible .entry test({given})
        {{
            .reg .pred %p<20>; .reg .b16 %rs<20>; .reg .b32 %r<40>; .reg .b64 %rd<40>;
            .reg .f32 %f<40>; .reg .f64 %fd<10>;
            {loads}
            mov.u32 %r1, %tid.x;
            mov.u32 %r2, %ctaid.x;
            {body}
            ret;
        }}
    """)


def launch(
    found: Kernel, arrays: Sequence[np.ndarray], threads: int = 32, blocks: int = 1, skew: int = 0
) -> None:
    """Run a kernel on arrays, each of which lies by itself."""
    memory = GlobalMemory()
    addresses = [FIRST + (number << 30) + skew for number in range(len(arrays))]
    for address, array in zip(addresses, arrays, strict=True):
        memory.add(address, array.reshape(-1).view(np.uint8))
    found.launch(memory, (blocks,), (threads,), addresses)


OWN_WORD = "mul.wide.u32 %rd10, %r1, 4; add.s64 %rd11, %rd1, %rd10;"
OWN_PLACE = "mov.u32 %r10, tiles; shl.b32 %r11, %r1, 2; add.s32 %r12, %r10, %r11;"
NEXT_PLACE = "add.s32 %r13, %r1, 1; and.b32 %r13, %r13, 31; shl.b32 %r13, %r13, 2; " + (
    "add.s32 %r14, %r10, %r13;"
)


# -- what it computes -------------------------------------------------------------------------


def test_lanes_that_part_meet_again() -> None:
    """Each lane goes round a loop as often as its number says; all exchange values after it."""
    found = kernel(f"""
        mov.u32 %r3, 0;
        mov.u32 %r4, 0;
        AGAIN:
        setp.ge.u32 %p1, %r4, %r1;
        @%p1 bra DONE;
        add.s32 %r3, %r3, %r4;
        add.s32 %r4, %r4, 1;
        bra.uni AGAIN;
        DONE:
        shfl.sync.bfly.b32 %r5|%p2, %r3, 1, 31, -1;
        {OWN_WORD}
        st.global.u32 [%rd11], %r5;
    """)
    out = np.zeros(64, np.uint32)
    launch(found, [out], threads=64)
    other = np.arange(64) ^ 1
    assert (out == other * (other - 1) // 2).all()


def test_functions_are_put_in() -> None:
    """A function that is called from two places, with a branch of its own."""
    found = Kernel("""
        .func (.param .b64 out) twice(.param .b64 in)
        {
            .reg .f64 %fd<4>; .reg .pred %p<2>;
            ld.param.f64 %fd1, [in];
            setp.lt.f64 %p1, %fd1, 0d0000000000000000;
            @%p1 bra NEGATIVE;
            add.f64 %fd1, %fd1, %fd1;
            NEGATIVE:
            st.param.f64 [out+0], %fd1;
            ret;
        }
        .visible .entry test(.param .u64 p0)
        {
            .reg .b64 %rd<9>; .reg .f64 %fd<9>; .reg .b32 %r<3>;
            ld.param.u64 %rd1, [p0];
            mov.u32 %r1, %tid.x;
            mul.wide.u32 %rd2, %r1, 8;
            add.s64 %rd3, %rd1, %rd2;
            ld.global.f64 %fd1, [%rd3];
            { // callseq 0
            .param .b64 param0;
            st.param.f64 [param0+0], %fd1;
            .param .b64 retval0;
            call.uni (retval0), twice, (param0);
            ld.param.f64 %fd2, [retval0+0];
            }
            {
            .param .b64 param0;
            st.param.f64 [param0+0], %fd2;
            .param .b64 retval0;
            call.uni (retval0), twice, (param0);
            ld.param.f64 %fd3, [retval0+0];
            }
            st.global.f64 [%rd3], %fd3;
            ret;
        }
    """)
    values = np.array([1.5, -2.0, 3.0, -4.0])
    launch(found, [values], threads=4)
    assert values.tolist() == [6, -2, 12, -4]


def test_carries() -> None:
    """Numbers of 64 bits that are added, subtracted and multiplied 32 bits at a time."""
    found = kernel(
        """
        mul.wide.u32 %rd10, %r1, 16;
        add.s64 %rd11, %rd1, %rd10;
        ld.global.v4.u32 {%r10,%r11,%r12,%r13}, [%rd11];
        add.cc.u32 %r14, %r10, %r12; addc.u32 %r15, %r11, %r13;
        sub.cc.u32 %r16, %r10, %r12; subc.u32 %r17, %r11, %r13;
        mul.lo.u32 %r18, %r10, %r12; mul.hi.u32 %r19, %r10, %r12;
        mad.lo.cc.u32 %r18, %r10, %r12, %r11; madc.hi.u32 %r19, %r10, %r12, 0;
        mul.wide.u32 %rd10, %r1, 24;
        add.s64 %rd12, %rd2, %rd10;
        st.global.v2.u32 [%rd12], {%r14,%r15};
        st.global.v2.u32 [%rd12+8], {%r16,%r17};
        st.global.v2.u32 [%rd12+16], {%r18,%r19};
        """,
        pointers=2,
    )
    given = np.random.default_rng(3).integers(0, 2**64 - 1, (32, 2), np.uint64)
    given[0] = [2**64 - 1, 1]
    out = np.zeros((32, 3), np.uint64)
    launch(found, [given, out])
    a, b = given.T
    low, half = np.uint64(2**32 - 1), np.uint64(32)
    assert (out[:, 0] == a + b).all()
    assert (out[:, 1] == a - b).all()
    assert (out[:, 2] == (a & low) * (b & low) + (a >> half)).all()


def fragment(matrix: np.ndarray, rows: list[int], columns: list[int]) -> np.ndarray:
    """Return elements as they lie in registers, from the lowest bits on."""
    return np.ascontiguousarray(matrix[rows, columns]).view(np.uint32)


@pytest.mark.parametrize("kind", ["f16", "bf16", "tf32"])
def test_tensor_cores(kind: str) -> None:
    """A warp's product against NumPy's; fragments by the PTX ISA's tables, lane by lane."""
    rng = np.random.default_rng(1)
    depth = 8 if kind == "tf32" else 16
    a, b, c = (
        rng.integers(-8, 8, s).astype(np.float32) for s in ((16, depth), (depth, 8), (16, 8))
    )
    stored = {
        "f16": lambda x: x.astype(np.float16),
        "bf16": lambda x: (x.view(np.uint32) >> 16).astype(np.uint16),
        "tf32": lambda x: (x.view(np.uint32) | 0x1FFF).view(np.float32),  # not looked at
    }[kind]
    words = []
    for lane in range(32):
        group, member = lane >> 2, lane % 4
        if kind == "tf32":
            left = fragment(
                stored(a), [group, group + 8] * 2, [member, member, member + 4, member + 4]
            )
            right = fragment(stored(b), [member, member + 4], [group, group])
        else:
            two = [member * 2, member * 2 + 1]
            far = [each + 8 for each in two]
            rows = [group, group, group + 8, group + 8] * 2
            left = fragment(stored(a), rows, [*two, *two, *far, *far])
            right = fragment(stored(b), [*two, *far], [group] * 4)
        words.append(np.concatenate((left, right)))
    shape = "m16n8k8" if kind == "tf32" else "m16n8k16"
    found = kernel(f"""
        mul.wide.u32 %rd10, %r1, 24;
        add.s64 %rd11, %rd1, %rd10;
        ld.global.v2.u32 {{%r10, %r11}}, [%rd11];
        ld.global.v2.u32 {{%r12, %r13}}, [%rd11+8];
        ld.global.v2.u32 {{%r14, %r15}}, [%rd11+16];
        shr.u32 %r3, %r1, 2; and.b32 %r4, %r1, 3;
        shl.b32 %r3, %r3, 3; shl.b32 %r4, %r4, 1; add.s32 %r5, %r3, %r4;
        mul.wide.u32 %rd12, %r5, 4;
        add.s64 %rd13, %rd2, %rd12;
        ld.global.v2.f32 {{%f1, %f2}}, [%rd13];
        ld.global.v2.f32 {{%f3, %f4}}, [%rd13+256];
        mma.sync.aligned.{shape}.row.col.f32.{kind}.{kind}.f32
            {{%f1,%f2,%f3,%f4}}, {{%r10,%r11,%r12,%r13}}, {{%r14,%r15}}, {{%f1,%f2,%f3,%f4}};
        st.global.v2.f32 [%rd13], {{%f1, %f2}};
        st.global.v2.f32 [%rd13+256], {{%f3, %f4}};
    """, pointers=2)  # fmt: skip
    out = c.copy()
    launch(found, [np.array(words), out])
    assert (out == c + a @ b).all()


# -- what it forbids --------------------------------------------------------------------------

TO_THE_NEXT = (
    f"{OWN_PLACE} {NEXT_PLACE} st.shared.u32 [%r12], %r1; {{}} ld.shared.u32 %r15, [%r14];"
)


def test_a_race_in_shared_memory() -> None:
    """Each thread reads what the next has written: with a barrier between, and without."""
    store = f"{OWN_WORD} st.global.u32 [%rd11], %r15;"
    for barrier in ("bar.sync 0;", "bar.warp.sync -1;"):
        out = np.zeros(32, np.uint32)
        launch(kernel(TO_THE_NEXT.format(barrier) + store, shared=128), [out])
        assert (out == (np.arange(32) + 1) % 32).all()
    with pytest.raises(PtxError, match="a race: it reads"):
        launch(kernel(TO_THE_NEXT.format(""), shared=128), [np.zeros(1)])


def test_a_race_after_a_read() -> None:
    """A thread writes what another has read."""
    body = TO_THE_NEXT.format("bar.sync 0;") + "{} st.shared.u32 [%r12], %r15;"
    launch(kernel(body.format("bar.sync 0;"), shared=128), [np.zeros(1)])
    with pytest.raises(PtxError, match="a race: it writes"):
        launch(kernel(body.format(""), shared=128), [np.zeros(1)])


def test_a_barrier_of_a_warp_is_not_one_of_the_block() -> None:
    """Two warps that write to the same place."""
    body = f"and.b32 %r1, %r1, 31; {OWN_PLACE} bar.warp.sync -1; st.shared.u32 [%r12], %r1;"
    with pytest.raises(PtxError, match="a race: it writes"):
        launch(kernel(body, shared=128), [np.zeros(1)], threads=64)


def test_a_race_between_blocks() -> None:
    """Blocks are in no order, whether they meet or not."""
    for write in ("st.global.u32 [%rd1], %r1;", "ld.global.u32 %r9, [%rd1]; bar.sync 0; " * 2):
        body = f"{write} bar.sync 0; {{}} st.global.u32 [%rd1], %r2;"
        with pytest.raises(PtxError, match="a race"):
            launch(kernel(body.format("")), [np.zeros(1, np.uint32)], threads=1, blocks=2)
    launch(kernel(body.format("")), [np.zeros(1, np.uint32)], threads=1, blocks=1)


@pytest.mark.parametrize(("skew", "works"), [(0, True), (8, False)])
def test_a_wide_load_off_its_place(skew: int, works: bool) -> None:
    """16 bytes at a multiple of 8."""
    body = "mul.wide.u32 %rd10, %r1, 16; add.s64 %rd11, %rd1, %rd10;"
    found = kernel(body + "ld.global.v4.f32 {%f1,%f2,%f3,%f4}, [%rd11];")
    arrays = [np.zeros(4 * 32, np.float32)]
    if works:
        launch(found, arrays, skew=skew)
        return
    with pytest.raises(PtxError, match="misaligned"):
        launch(found, arrays, skew=skew)


def test_out_of_bounds() -> None:
    """One element too many, of global and of shared memory; a null pointer."""
    with pytest.raises(PtxError, match=r"ends 4 bytes behind the 124 bytes .* thread \[31, 0, 0\]"):
        launch(kernel(f"{OWN_WORD} st.global.u32 [%rd11], %r1;"), [np.zeros(31, np.uint32)])
    with pytest.raises(PtxError, match="no variable of shared memory"):
        launch(kernel(f"{OWN_PLACE} st.shared.u32 [%r12], %r1;", shared=124), [np.zeros(1)])
    with pytest.raises(PtxError, match="nothing is allocated"):
        launch(kernel("mov.u64 %rd1, 0; ld.global.u32 %r9, [%rd1];"), [np.zeros(1)])


def test_an_address_of_another_space() -> None:
    """A generic address of shared memory as one of global memory."""
    body = "mov.u64 %rd5, tiles; cvta.shared.u64 %rd6, %rd5; {}"
    launch(kernel(body.format("st.u64 [%rd6], %rd5;"), shared=16), [np.zeros(1)], threads=1)
    with pytest.raises(PtxError, match="leads not to global memory"):
        launch(kernel(body.format("cvta.to.global.u64 %rd7, %rd6;"), shared=16), [np.zeros(1)])
    with pytest.raises(PtxError, match="nothing is allocated"):
        launch(kernel(body.format("ld.global.u32 %r9, [%rd6];"), shared=16), [np.zeros(1)])


def test_what_was_never_written() -> None:
    """A read of shared memory that holds nothing yet."""
    with pytest.raises(PtxError, match="never written"):
        launch(kernel(f"{OWN_PLACE} ld.shared.u32 %r13, [%r12];", shared=128), [np.zeros(1)])


COPY = """
    mov.u32 %r10, tiles; shl.b32 %r11, %r1, 4; add.s32 %r12, %r10, %r11;
    mul.wide.u32 %rd10, %r1, 16; add.s64 %rd11, %rd1, %rd10; add.s64 %rd12, %rd2, %rd10;
    cp.async.cg.shared.global [%r12], [%rd11], 16;
    {}
    xor.b32 %r13, %r11, 16; add.s32 %r14, %r10, %r13;
    ld.shared.v4.u32 {{%r15,%r16,%r17,%r18}}, [%r14];
    st.global.v4.u32 [%rd12], {{%r15,%r16,%r17,%r18}};
"""


@pytest.mark.parametrize(
    ("wait", "problem"),
    [
        ("cp.async.wait_all; bar.sync 0;", None),
        ("cp.async.commit_group; cp.async.wait_group 0; bar.sync 0;", None),
        ("bar.sync 0;", "nobody has waited for"),
        ("cp.async.wait_all;", "a race"),
        ("cp.async.commit_group; cp.async.wait_group 1; bar.sync 0;", "nobody has waited for"),
        ("cp.async.wait_group 0; bar.sync 0;", "nobody has waited for"),
    ],
)
def test_asynchronous_copies(wait: str, problem: str | None) -> None:
    """They are there for other threads after a wait and a barrier, both."""
    found = kernel(COPY.format(wait), pointers=2, shared=512)
    given, out = np.arange(128, dtype=np.uint32), np.zeros(128, np.uint32)
    if problem is None:
        launch(found, [given, out])
        assert (out.reshape(32, 4) == given.reshape(32, 4)[np.arange(32) ^ 1]).all()
        return
    with pytest.raises(PtxError, match=problem):
        launch(found, [given, out])


PARTED = "setp.gt.u32 %p1, %r1, 40; @%p1 bra OUT; {} bra END; OUT: {} END:"
BARRIERS = {
    "ended": PARTED.format("bar.sync 0;", ""),
    "another": PARTED.format("bar.sync 0;", "bar.sync 0;"),
    "warp": PARTED.format("bar.warp.sync -1;", "bar.sync 0;"),
    "exchange": PARTED.format("bar.sync 0;", "shfl.sync.bfly.b32 %r5, %r1, 1, 31, -1;"),
}


@pytest.mark.parametrize("body", BARRIERS.values(), ids=list(BARRIERS))
def test_a_barrier_that_not_all_reach(body: str) -> None:
    """Some threads have ended, or wait elsewhere."""
    with pytest.raises(PtxError, match="a barrier that not all reach"):
        launch(kernel(body), [np.zeros(1)], threads=64)


def test_an_exchange_with_a_lane_that_has_ended() -> None:
    """Lanes that are gone need not come, but have no values."""
    ends = "setp.gt.u32 %p1, %r1, 15; @%p1 bra OUT; {} OUT:"
    for step, works in ((1, True), (16, False)):
        found = kernel(ends.format(f"shfl.sync.bfly.b32 %r5, %r1, {step}, 31, -1;"))
        if works:
            launch(found, [np.zeros(1)])
            continue
        with pytest.raises(PtxError, match="which is not here"):
            launch(found, [np.zeros(1)])


def test_unknown_instructions_are_named() -> None:
    """What the machine does not know stops it before it runs."""
    for text in ("foo.f32 %f1, %f2;", "bar.sync 1;", "st.shared::cluster.u32 [%r1], %r2;"):
        with pytest.raises(PtxError, match=text.split()[0].split("::")[0].replace(".", r"\.")):
            kernel(text)


def test_the_read_only_cache() -> None:
    """It does not see what kernels write: tables of the module may come through it, no more."""
    found = kernel(f"{OWN_WORD} ld.global.nc.u32 %r3, [%rd11]; st.global.u32 [%rd11], %r3;")
    with pytest.raises(PtxError, match="read-only cache, of memory that may be written"):
        launch(found, [np.zeros(32, np.int32)])


def test_launches_that_cannot_be() -> None:
    """Too many threads, too much memory, too few parameters."""
    with pytest.raises(PtxError, match="more than there can be"):
        launch(kernel(""), [np.zeros(1)], threads=2048)
    with pytest.raises(PtxError, match="more than there can be"):
        launch(kernel("", shared=50_000), [np.zeros(1)])
    with pytest.raises(PtxError, match="takes 1 parameters, not 2"):
        launch(kernel(""), [np.zeros(1), np.zeros(1)])
