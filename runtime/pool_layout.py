"""Where things lie in the thread pool's control block and in the records of calls.

IR text names these offsets and limits, such as $LINE; `with_offsets` fills them in.
"""

from __future__ import annotations

from string import Template

# Functions of the pool that programs call.
BARRIER = "jitnet_barrier"
CLAIM = "jitnet_claim"
OFFERED = (BARRIER, CLAIM)

LINE = 128  # bytes: a cache line and its neighbour, which processors fetch together
MAX_THREADS = 1024

# Turns of a waiting loop, of about 20 to 100 ns, before the system puts the thread to sleep.
# Between regions: long enough to bridge the gap between two steps of a busy program, short enough
# not to take the core from NumPy's and PyTorch's own pools (100,000 cost milliseconds).
SPINS = 2000
# Within a region, for parts that do not end together: waking takes as long as 2,000 turns.
REGION_SPINS = 10_000
# With more threads than processors, the thread that is waited for needs this very core: none.
NO_SPINS = 0

# Offsets in the control block.
WORD = 0 * LINE  # i64: generation << 32 | threads
PENDING = 1 * LINE  # i32: workers that have not finished their part; i32: whether one waits asleep
LOCK = 2 * LINE  # i32 next ticket, i32 ticket being served
REGION = 3 * LINE  # program, slots, arena: ptr; float mode: i64
WORKERS = 4 * LINE  # i64: workers that exist
ASLEEP = WORKERS + 48  # i64: ticks that threads of regions have waited asleep for others
THREADS = WORKERS + 8  # i64: threads that a region may use
SCRATCH = WORKERS + 16  # ptr: of thread 0; the next thread's follows
SCRATCH_BYTES = WORKERS + 24  # i64: of one thread
PATIENCE = WORKERS + 32  # i64: SPINS or NO_SPINS
REGION_PATIENCE = WORKERS + 40  # i64: REGION_SPINS or NO_SPINS
TEAM = 5 * LINE  # the barrier: i32 arrived; a line later i32 generation, i32 sleepers
PARKED = 7 * LINE  # i32 for each worker, a line apart: whether it sleeps
SHARES = PARKED + LINE // 2  # i64 for each thread, a line apart: what is left of its share
SHARES_IN_TEAM = SHARES - TEAM
CONTROL_BYTES = PARKED + MAX_THREADS * LINE

# A share: number << NUMBER_BIT | first << FIRST_BIT | end (see claim_ir.py).
FIRST_BIT = 20
NUMBER_BIT = 2 * FIRST_BIT
MOST_UNITS = (1 << FIRST_BIT) - 1
MOST_NUMBERS = (1 << 64 - NUMBER_BIT) - 1

STOP = 0xFFFFFFFF  # in place of the number of threads: workers return

# Offsets in the record of one way to call a Program (see program.py).
RECORD_PROGRAM = 0 * 8  # ptr: the function
RECORD_SLOTS = 1 * 8  # ptr: the table of pointers
RECORD_ARENA = 2 * 8  # ptr
RECORD_LIMIT = 3 * 8  # i64: threads that the program may use
RECORD_COUNT = 4 * 8  # i64: arguments
RECORD_WHICH = 5 * 8  # ptr: the slot of each argument, i64
RECORD_ALONE = 6 * 8  # i64: calls that the caller's thread does by itself from now on
RECORD_SPAN = 7 * 8  # i64: how many those were last time
RECORD_TRIAL = 8 * 8  # i64: ticks of a call that waited asleep, to compare one alone with; or 0
RECORD_TRUST = 9 * 8  # i64: calls until waiting asleep is taken for a sign again
RECORD_DOUBT = 10 * 8  # i64: whether the last call of a team waited asleep
RECORD_WORDS = 11

# A team whose processors others use spends its time waiting for threads that do not run: a step of
# 0.1 ms takes 4 ms. One thread alone needs what the team works and does not wait; so where threads
# waited asleep for half of what they can, all but one, in two calls running, the next one runs
# alone, and if that was faster, so do as many more as this says: FIRST_ALONE, then twice as many,
# up to LAST_ALONE. The calls after those are not judged until the workers are awake again.
FIRST_ALONE = 8
LAST_ALONE = 512
TRUST = 64
AWAKE_AFTER = 4

_OFFSETS = {
    name: value for name, value in list(globals().items()) if name.isupper() and type(value) is int
}


def with_offsets(text: str) -> str:
    """Fill this file's offsets and limits into IR text that names them, such as $LINE."""
    return Template(text).substitute(_OFFSETS)
