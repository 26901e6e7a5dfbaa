"""LLVM IR of a call: its pointers go to the table, its program runs on all threads or on one."""

from __future__ import annotations

RUN_SUITABLY = """
; Run a program on up to `threads` threads: on one for a while where that has been measured faster.
define internal void @run_suitably(ptr %record, ptr %program, ptr %slots, ptr %arena, i64 %threads)
    nounwind {
entry:
  %alone_at = getelementptr i8, ptr %record, i64 $RECORD_ALONE
  %span_at = getelementptr i8, ptr %record, i64 $RECORD_SPAN
  %trial_at = getelementptr i8, ptr %record, i64 $RECORD_TRIAL
  %trust_at = getelementptr i8, ptr %record, i64 $RECORD_TRUST
  %doubt_at = getelementptr i8, ptr %record, i64 $RECORD_DOUBT
  %asleep_at = getelementptr i8, ptr @jitnet_control, i64 $ASLEEP
  %single = icmp sle i64 %threads, 1
  br i1 %single, label %plain, label %choose
plain:
  call void @run(ptr %program, ptr %slots, ptr %arena, i64 1)
  ret void
choose:
  %calls = load i64, ptr %alone_at
  %by_itself = icmp sgt i64 %calls, 0
  %start = call i64 @ticks()
  br i1 %by_itself, label %alone, label %team
alone:
  call void @run(ptr %program, ptr %slots, ptr %arena, i64 1)
  %left = sub i64 %calls, 1
  store i64 %left, ptr %alone_at
  store i64 $AWAKE_AFTER, ptr %trust_at
  %trial = load i64, ptr %trial_at
  %compares = icmp ne i64 %trial, 0
  br i1 %compares, label %compare, label %done
compare:
  %end = call i64 @ticks()
  %took = sub i64 %end, %start
  store i64 0, ptr %trial_at
  %faster = icmp slt i64 %took, %trial
  br i1 %faster, label %stay, label %return
stay:
  %span = load i64, ptr %span_at
  %doubled = mul i64 %span, 2
  %at_least = call i64 @llvm.smax.i64(i64 %doubled, i64 $FIRST_ALONE)
  %following = call i64 @llvm.smin.i64(i64 %at_least, i64 $LAST_ALONE)
  store i64 %following, ptr %span_at
  store i64 %following, ptr %alone_at
  ret void
return:
  store i64 0, ptr %span_at
  store i64 $TRUST, ptr %trust_at
  ret void
team:
  %asleep_before = load atomic i64, ptr %asleep_at monotonic, align 8
  call void @run(ptr %program, ptr %slots, ptr %arena, i64 %threads)
  %asleep_after = load atomic i64, ptr %asleep_at monotonic, align 8
  %finish = call i64 @ticks()
  %team_took = sub i64 %finish, %start
  %asleep = sub i64 %asleep_after, %asleep_before
  %twice_asleep = mul i64 %asleep, 2
  %helpers = sub i64 %threads, 1
  %tolerable = mul i64 %helpers, %team_took
  %waited = icmp sgt i64 %twice_asleep, %tolerable
  %trust = load i64, ptr %trust_at
  %trusted = icmp sgt i64 %trust, 0
  br i1 %trusted, label %count, label %look
count:
  %trust_left = sub i64 %trust, 1
  store i64 %trust_left, ptr %trust_at
  ret void
look:
  br i1 %waited, label %doubt, label %content
doubt:
  %again = load i64, ptr %doubt_at
  store i64 1, ptr %doubt_at
  %twice = icmp ne i64 %again, 0
  br i1 %twice, label %try, label %done
try:
  store i64 %team_took, ptr %trial_at
  store i64 1, ptr %alone_at
  ret void
content:
  store i64 0, ptr %span_at
  store i64 0, ptr %doubt_at
  ret void
done:
  ret void
}
declare i64 @llvm.smax.i64(i64, i64)
"""

CALL = """
; Call the program of a record with these pointers; returns its status code. Takes the lock, because
; the slot table, the arena and the scratch memory serve one call at a time.
define i64 @jitnet_call(ptr %record, ptr %pointers) nounwind {
entry:
  %program_at = getelementptr i8, ptr %record, i64 $RECORD_PROGRAM
  %slots_at = getelementptr i8, ptr %record, i64 $RECORD_SLOTS
  %arena_at = getelementptr i8, ptr %record, i64 $RECORD_ARENA
  %limit_at = getelementptr i8, ptr %record, i64 $RECORD_LIMIT
  %count_at = getelementptr i8, ptr %record, i64 $RECORD_COUNT
  %which_at = getelementptr i8, ptr %record, i64 $RECORD_WHICH
  %program = load ptr, ptr %program_at
  %slots = load ptr, ptr %slots_at
  %arena = load ptr, ptr %arena_at
  %limit = load i64, ptr %limit_at
  %count = load i64, ptr %count_at
  %which = load ptr, ptr %which_at
  call void @jitnet_lock()
  %some = icmp sgt i64 %count, 0
  br i1 %some, label %bind, label %bound
bind:
  %number = phi i64 [0, %entry], [%number_next, %bind]
  %from = getelementptr ptr, ptr %pointers, i64 %number
  %pointer = load ptr, ptr %from
  %slot_at = getelementptr i64, ptr %which, i64 %number
  %slot = load i64, ptr %slot_at
  %to = getelementptr ptr, ptr %slots, i64 %slot
  store ptr %pointer, ptr %to
  %number_next = add i64 %number, 1
  %more = icmp slt i64 %number_next, %count
  br i1 %more, label %bind, label %bound
bound:
  %status = load ptr, ptr %slots
  store <4 x i64> zeroinitializer, ptr %status, align 8
  %threads_at = getelementptr i8, ptr @jitnet_control, i64 $THREADS
  %workers_at = getelementptr i8, ptr @jitnet_control, i64 $WORKERS
  %allowed = load i64, ptr %threads_at
  %workers = load i64, ptr %workers_at
  %exist = add i64 %workers, 1
  %usable = call i64 @llvm.smin.i64(i64 %allowed, i64 %exist)
  %threads = call i64 @llvm.smin.i64(i64 %usable, i64 %limit)
  call void @run_suitably(ptr %record, ptr %program, ptr %slots, ptr %arena, i64 %threads)
  %code = load i64, ptr %status
  call void @jitnet_unlock()
  ret i64 %code
}
declare i64 @llvm.smin.i64(i64, i64)
"""
