"""LLVM IR of the thread pool: waiting workers, regions that fork and join, barriers, one lock.

All threads share one control block, whose fields lie a cache line pair apart so that a thread that
writes one does not disturb those that read another. A region is published by one atomic store of
its word: a generation that never repeats, and the number of threads that take part. So a worker
can tell from one load whether there is work and whether it is meant; what else it reads stays as
it is until that worker has finished its part.
"""

from __future__ import annotations

from .call_ir import CALL, RUN_SUITABLY
from .claim_ir import CLAIMS
from .platform_ir import PlatformCode, platform_code
from .pool_layout import with_offsets
from .target import Target

_BARRIER = """
; Wait until all threads of the team have come. The generation is read before arriving, and cannot
; change before: so a thread may meet the next barrier while others still leave this one.
define void @jitnet_barrier(ptr %team, i64 %threads) nounwind {
entry:
  %alone = icmp sle i64 %threads, 1
  br i1 %alone, label %done, label %arrive
arrive:
  %generation_at = getelementptr i8, ptr %team, i64 $LINE
  %sleepers_at = getelementptr i8, ptr %generation_at, i64 4
  %patience_at = getelementptr i8, ptr @jitnet_control, i64 $REGION_PATIENCE
  %generation = load atomic i32, ptr %generation_at acquire, align 4
  %before = atomicrmw add ptr %team, i32 1 acq_rel, align 4
  %all = trunc i64 %threads to i32
  %come = add i32 %before, 1
  %last = icmp eq i32 %come, %all
  br i1 %last, label %open, label %start
open:
  store atomic i32 0, ptr %team monotonic, align 4
  %following = add i32 %generation, 1
  %old = atomicrmw xchg ptr %generation_at, i32 %following seq_cst, align 4
  %sleepers = load atomic i32, ptr %sleepers_at seq_cst, align 4
  %some = icmp ne i32 %sleepers, 0
  br i1 %some, label %wake, label %done
wake:
  call void @wake(ptr %generation_at)
  ret void
start:
  %patience = load i64, ptr %patience_at
  br label %look
look:
  %turn = phi i64 [0, %start], [%turns, %stay]
  %current = load atomic i32, ptr %generation_at acquire, align 4
  %opened = icmp ne i32 %current, %generation
  br i1 %opened, label %done, label %again
again:
  %turns = add i64 %turn, 1
  %patient = icmp ule i64 %turns, %patience
  br i1 %patient, label %stay, label %park
stay:
  call void @pause()
  br label %look
park:
  ; Counted before the system looks at the generation: who opens looks in the opposite order.
  %more = atomicrmw add ptr %sleepers_at, i32 1 seq_cst, align 4
  %began = call i64 @ticks()
  br label %sleep
sleep:
  call void @wait(ptr %generation_at, i32 %generation)
  %latest = load atomic i32, ptr %generation_at acquire, align 4
  %closed = icmp eq i32 %latest, %generation
  br i1 %closed, label %sleep, label %leave
leave:
  %fewer = atomicrmw sub ptr %sleepers_at, i32 1 seq_cst, align 4
  call void @was_asleep(i64 %began)
  br label %done
done:
  ret void
}

; Count the time from `began` to now as waited asleep.
define internal void @was_asleep(i64 %began) nounwind {
  %asleep_at = getelementptr i8, ptr @jitnet_control, i64 $ASLEEP
  %now = call i64 @ticks()
  %took = sub i64 %now, %began
  %before = atomicrmw add ptr %asleep_at, i64 %took monotonic, align 8
  ret void
}
"""

_LOCK = """
; One region at a time, in the order of asking. Taken without Python's lock, so that other Python
; threads go on. Two i32: the next ticket, and the ticket being served.
define void @jitnet_lock() nounwind {
entry:
  %next_at = getelementptr i8, ptr @jitnet_control, i64 $LOCK
  %serving_at = getelementptr i8, ptr %next_at, i64 4
  %ticket = atomicrmw add ptr %next_at, i32 1 seq_cst, align 4
  br label %look
look:
  %turn = phi i64 [0, %entry], [%turns, %stay], [%turn, %sleep]
  %serving = load atomic i32, ptr %serving_at seq_cst, align 4
  %mine = icmp eq i32 %serving, %ticket
  br i1 %mine, label %done, label %busy
busy:
  %turns = add i64 %turn, 1
  %patient = icmp ult i64 %turn, 100
  br i1 %patient, label %stay, label %sleep
stay:
  call void @pause()
  br label %look
sleep:
  call void @wait(ptr %serving_at, i32 %serving)
  br label %look
done:
  ret void
}

define void @jitnet_unlock() nounwind {
  %next_at = getelementptr i8, ptr @jitnet_control, i64 $LOCK
  %serving_at = getelementptr i8, ptr %next_at, i64 4
  %serving = load atomic i32, ptr %serving_at monotonic, align 4
  %following = add i32 %serving, 1
  %before = atomicrmw xchg ptr %serving_at, i32 %following seq_cst, align 4
  %next = load atomic i32, ptr %next_at seq_cst, align 4
  %waited = icmp ne i32 %next, %following
  br i1 %waited, label %wake, label %done
wake:
  call void @wake(ptr %serving_at)
  br label %done
done:
  ret void
}
"""

_WORKER = """
; The life of worker `index` (1, 2, ...), which has seen the word `first`, until told to stop.
define void @jitnet_worker(i64 %index, i64 %first) nounwind {
entry:
  %word_at = getelementptr i8, ptr @jitnet_control, i64 $WORD
  %pending_at = getelementptr i8, ptr @jitnet_control, i64 $PENDING
  %program_at = getelementptr i8, ptr @jitnet_control, i64 $REGION
  %slots_at = getelementptr i8, ptr %program_at, i64 8
  %arena_at = getelementptr i8, ptr %program_at, i64 16
  %mode_at = getelementptr i8, ptr %program_at, i64 24
  %scratch_at = getelementptr i8, ptr @jitnet_control, i64 $SCRATCH
  %bytes_at = getelementptr i8, ptr @jitnet_control, i64 $SCRATCH_BYTES
  %patience_at = getelementptr i8, ptr @jitnet_control, i64 $PATIENCE
  %team = getelementptr i8, ptr @jitnet_control, i64 $TEAM
  %line = mul i64 %index, $LINE
  %parked_offset = add i64 %line, $PARKED
  %parked_at = getelementptr i8, ptr @jitnet_control, i64 %parked_offset
  br label %look
look:
  %seen = phi i64 [%first, %entry], [%seen, %pause], [%seen, %awake],
              [%word, %skip], [%word, %worked]
  %turn = phi i64 [0, %entry], [%turns, %pause], [0, %awake], [%turn, %skip], [0, %worked]
  %word = load atomic i64, ptr %word_at acquire, align 8
  %changed = icmp ne i64 %word, %seen
  br i1 %changed, label %published, label %idle
idle:
  %turns = add i64 %turn, 1
  %patience = load i64, ptr %patience_at
  %patient = icmp ult i64 %turns, %patience
  br i1 %patient, label %pause, label %park
pause:
  call void @pause()
  br label %look
park:
  ; Say so, then look once more: whoever publishes a word does it in the opposite order.
  %was = atomicrmw xchg ptr %parked_at, i32 1 seq_cst, align 4
  %latest = load atomic i64, ptr %word_at seq_cst, align 8
  %still = icmp eq i64 %latest, %seen
  br i1 %still, label %sleep, label %awake
sleep:
  call void @wait(ptr %parked_at, i32 1)
  br label %awake
awake:
  store atomic i32 0, ptr %parked_at seq_cst, align 4
  br label %look
published:
  %threads = and i64 %word, $STOP
  %stop = icmp eq i64 %threads, $STOP
  br i1 %stop, label %return, label %skip
skip:
  %meant = icmp ult i64 %index, %threads
  br i1 %meant, label %work, label %look
work:
  %mode = load i64, ptr %mode_at
  call void @set_float_mode(i64 %mode)
  %program = load ptr, ptr %program_at
  %slots = load ptr, ptr %slots_at
  %arena = load ptr, ptr %arena_at
  %scratch = load ptr, ptr %scratch_at
  %bytes = load i64, ptr %bytes_at
  %offset = mul i64 %index, %bytes
  %own = getelementptr i8, ptr %scratch, i64 %offset
  call void %program(ptr %slots, ptr %arena, ptr %own, ptr %team, i64 %index, i64 %threads)
  %left = atomicrmw sub ptr %pending_at, i32 1 seq_cst, align 4
  %last = icmp eq i32 %left, 1
  br i1 %last, label %finish, label %worked
finish:
  %asleep_at = getelementptr i8, ptr %pending_at, i64 4
  %asleep = load atomic i32, ptr %asleep_at seq_cst, align 4
  %waited = icmp ne i32 %asleep, 0
  br i1 %waited, label %wake, label %worked
wake:
  call void @wake(ptr %pending_at)
  br label %worked
worked:
  br label %look
return:
  ret void
}
"""

_PUBLISH = """
; Publish a new word with this number of threads, or STOP, to workers 1 .. last.
define internal void @publish(i64 %threads, i64 %last) nounwind {
entry:
  %word_at = getelementptr i8, ptr @jitnet_control, i64 $WORD
  %word = load atomic i64, ptr %word_at monotonic, align 8
  %generation = lshr i64 %word, 32
  %following = add i64 %generation, 1
  %high = shl i64 %following, 32
  %next = or i64 %high, %threads
  %old = atomicrmw xchg ptr %word_at, i64 %next seq_cst, align 8
  %any = icmp sge i64 %last, 1
  br i1 %any, label %each, label %done
each:
  %worker = phi i64 [1, %entry], [%worker_next, %next_worker]
  %line = mul i64 %worker, $LINE
  %offset = add i64 %line, $PARKED
  %parked_at = getelementptr i8, ptr @jitnet_control, i64 %offset
  %parked = load atomic i32, ptr %parked_at seq_cst, align 4
  %asleep = icmp ne i32 %parked, 0
  br i1 %asleep, label %rouse, label %next_worker
rouse:
  store atomic i32 0, ptr %parked_at seq_cst, align 4
  call void @wake(ptr %parked_at)
  br label %next_worker
next_worker:
  %worker_next = add i64 %worker, 1
  %more = icmp sle i64 %worker_next, %last
  br i1 %more, label %each, label %done
done:
  ret void
}

; Send workers 1 .. last home.
define void @jitnet_stop(i64 %last) nounwind {
  call void @jitnet_lock()
  %workers_at = getelementptr i8, ptr @jitnet_control, i64 $WORKERS
  store i64 0, ptr %workers_at
  call void @publish(i64 $STOP, i64 %last)
  call void @jitnet_unlock()
  ret void
}

; Write one or two i64 while no region runs.
define void @jitnet_store(ptr %where, i64 %value) nounwind {
  call void @jitnet_lock()
  store i64 %value, ptr %where
  call void @jitnet_unlock()
  ret void
}

define void @jitnet_store_pair(ptr %where, i64 %first, i64 %second) nounwind {
  call void @jitnet_lock()
  store i64 %first, ptr %where
  %next = getelementptr i8, ptr %where, i64 8
  store i64 %second, ptr %next
  call void @jitnet_unlock()
  ret void
}
"""

_RUN = """
; Run a program on `threads` threads, this one among them, and wait for all; the lock is held.
define internal void @run(ptr %program, ptr %slots, ptr %arena, i64 %threads) nounwind {
entry:
  %team = getelementptr i8, ptr @jitnet_control, i64 $TEAM
  %scratch_at = getelementptr i8, ptr @jitnet_control, i64 $SCRATCH
  %scratch = load ptr, ptr %scratch_at
  call void @unclaim(i64 %threads)
  %alone = icmp sle i64 %threads, 1
  br i1 %alone, label %single, label %fork
single:
  call void %program(ptr %slots, ptr %arena, ptr %scratch, ptr %team, i64 0, i64 1)
  ret void
fork:
  %program_at = getelementptr i8, ptr @jitnet_control, i64 $REGION
  %slots_at = getelementptr i8, ptr %program_at, i64 8
  %arena_at = getelementptr i8, ptr %program_at, i64 16
  %mode_at = getelementptr i8, ptr %program_at, i64 24
  store ptr %program, ptr %program_at
  store ptr %slots, ptr %slots_at
  store ptr %arena, ptr %arena_at
  %mode = call i64 @float_mode()
  store i64 %mode, ptr %mode_at
  %helpers = sub i64 %threads, 1
  %helpers_short = trunc i64 %helpers to i32
  %pending_at = getelementptr i8, ptr @jitnet_control, i64 $PENDING
  store atomic i32 %helpers_short, ptr %pending_at monotonic, align 4
  call void @publish(i64 %threads, i64 %helpers)
  call void %program(ptr %slots, ptr %arena, ptr %scratch, ptr %team, i64 0, i64 %threads)
  %patience_at = getelementptr i8, ptr @jitnet_control, i64 $REGION_PATIENCE
  %patience = load i64, ptr %patience_at
  br label %join
join:
  %turn = phi i64 [0, %fork], [%turns, %stay]
  %pending = load atomic i32, ptr %pending_at acquire, align 4
  %finished = icmp eq i32 %pending, 0
  br i1 %finished, label %done, label %again
again:
  %turns = add i64 %turn, 1
  %patient = icmp ule i64 %turns, %patience
  br i1 %patient, label %stay, label %park
stay:
  call void @pause()
  br label %join
park:
  %asleep_at = getelementptr i8, ptr %pending_at, i64 4
  %before = atomicrmw xchg ptr %asleep_at, i32 1 seq_cst, align 4
  %began = call i64 @ticks()
  br label %look
look:
  %left = load atomic i32, ptr %pending_at seq_cst, align 4
  %none = icmp eq i32 %left, 0
  br i1 %none, label %leave, label %sleep
sleep:
  call void @wait(ptr %pending_at, i32 %left)
  br label %look
leave:
  store atomic i32 0, ptr %asleep_at monotonic, align 4
  call void @was_asleep(i64 %began)
  br label %done
done:
  ret void
}
"""


def pool_code(target: Target) -> PlatformCode:
    """Return the pool's IR text, and the addresses that it imports besides @jitnet_control."""
    platform = platform_code(target.triple)
    parts = (_BARRIER, CLAIMS, _LOCK, _WORKER, _PUBLISH, _RUN, RUN_SUITABLY, CALL)
    text = "\n".join(
        [
            f'target triple = "{target.triple}"',
            "@jitnet_control = external global i8",
            platform.text,
            *(with_offsets(part) for part in parts),
        ]
    )
    return PlatformCode(text, platform.imports)
