"""LLVM IR of claims: threads take parts of a kernel's work until none is left.

Each thread has a share, the part that it would have if all worked equally fast. It takes from the
front of its own, and then from the back of others': so where nobody is held up, each works at what
lies together, as if nothing were claimed. A claim takes half of what is left of a share, within
limits: the last are small, so that all end at about the same time.

What is left of a share is one word, which lies in the line of its thread: the number of what is
shared, its first unit, and the end. Numbers grow in the course of a program, and all threads share
the same things in the same order. A word of an earlier number means that nobody has taken anything
of the share yet; one of a later number, that the share is used up. So nobody has to lay shares out;
but words are zero when a program begins.
"""

from __future__ import annotations

CLAIMS = """
; Claim a part of `units` units: `least` to `most` of them, as far as there are so many. Returns its
; first unit, and in the upper half its end; 0 if none is left.
define i64 @jitnet_claim(ptr %team, i64 %number, i64 %units, i64 %least, i64 %most, i64 %thread,
    i64 %threads) nounwind {
entry:
  %alone = icmp sle i64 %threads, 1
  br label %ask
ask:
  %turn = phi i64 [0, %entry], [%following, %next]
  %own = icmp eq i64 %turn, 0
  %sum = add i64 %thread, %turn
  %over = icmp sge i64 %sum, %threads
  %around = sub i64 %sum, %threads
  %whose = select i1 %over, i64 %around, i64 %sum
  %line = mul i64 %whose, $LINE
  %offset = add i64 %line, $SHARES_IN_TEAM
  %share_at = getelementptr i8, ptr %team, i64 %offset
  %found = load atomic i64, ptr %share_at monotonic, align 8
  br label %look
look:
  %share = phi i64 [%found, %ask], [%changed, %take]
  %its_number = lshr i64 %share, $NUMBER_BIT
  %later = icmp ugt i64 %its_number, %number
  br i1 %later, label %next, label %open
open:
  %begun = icmp eq i64 %its_number, %number
  %first_all = mul i64 %units, %whose
  %end_all = add i64 %first_all, %units
  %first_whole = udiv i64 %first_all, %threads
  %end_whole = udiv i64 %end_all, %threads
  %first_shifted = lshr i64 %share, $FIRST_BIT
  %first_left = and i64 %first_shifted, $MOST_UNITS
  %end_left = and i64 %share, $MOST_UNITS
  %first = select i1 %begun, i64 %first_left, i64 %first_whole
  %end = select i1 %begun, i64 %end_left, i64 %end_whole
  %left = sub i64 %end, %first
  %some = icmp sgt i64 %left, 0
  br i1 %some, label %take, label %next
take:
  %more = add i64 %left, 1
  %half = lshr i64 %more, 1
  %fair = select i1 %alone, i64 %left, i64 %half
  %enough = call i64 @llvm.smax.i64(i64 %fair, i64 %least)
  %wanted = call i64 @llvm.smin.i64(i64 %enough, i64 %most)
  %count = call i64 @llvm.smin.i64(i64 %wanted, i64 %left)
  %after = add i64 %first, %count
  %before = sub i64 %end, %count
  %first_then = select i1 %own, i64 %after, i64 %first
  %end_then = select i1 %own, i64 %end, i64 %before
  %start = select i1 %own, i64 %first, i64 %before
  %stop = add i64 %start, %count
  %number_high = shl i64 %number, $NUMBER_BIT
  %first_high = shl i64 %first_then, $FIRST_BIT
  %bounds = or i64 %first_high, %end_then
  %share_then = or i64 %number_high, %bounds
  %exchanged = cmpxchg ptr %share_at, i64 %share, i64 %share_then monotonic monotonic, align 8
  %changed = extractvalue {i64, i1} %exchanged, 0
  %taken = extractvalue {i64, i1} %exchanged, 1
  br i1 %taken, label %done, label %look
done:
  %stop_high = shl i64 %stop, 32
  %part = or i64 %stop_high, %start
  ret i64 %part
next:
  %following = add i64 %turn, 1
  %others = icmp slt i64 %following, %threads
  br i1 %others, label %ask, label %none
none:
  ret i64 0
}

; Let the shares of this many threads be whole.
define internal void @unclaim(i64 %threads) nounwind {
entry:
  br label %each
each:
  %thread = phi i64 [0, %entry], [%following, %each]
  %line = mul i64 %thread, $LINE
  %offset = add i64 %line, $SHARES
  %share_at = getelementptr i8, ptr @jitnet_control, i64 %offset
  store atomic i64 0, ptr %share_at monotonic, align 8
  %following = add i64 %thread, 1
  %more = icmp slt i64 %following, %threads
  br i1 %more, label %each, label %done
done:
  ret void
}
"""
