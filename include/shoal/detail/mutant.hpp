// SPDX-License-Identifier: MIT
#pragma once

namespace shoal::detail {

// The bugs that tests seed on purpose, to prove that they would be found. A core is a template
// over the world it runs in, and the world names its mutant: the library's own is `none`, for
// which all of this compiles to nothing.
enum class Mutant {
  none,
  no_membarrier,            // a sleeper looks without making the wakers' stores visible first
  announce_after_looking,   // a sleeper says that it sleeps only after its last look
  sleepers_never_cleared,   // the flag stays up: every unlock is a system call
  epoch_forgotten,          // who has looked cannot tell that a waker came before it slept
  wake_before_store,        // the sleeper is woken before there is anything to see
  slice_without_a_look,     // a sleep that ends by itself goes on sleeping
  release_relaxed,          // unlock does not publish what was done under the lock
  acquire_dropped,          // lock does not see what was published
  owner_never_doubted,      // liveness trusted from a cached answer
  woken_does_not_announce,  // who was woken forgets that others may still sleep
  inherited_forgotten,      // an abandoned lock is taken as if it had been free
  live_owner_robbed,        // repair without the liveness check
  obituary_after_verdict,   // the lock is declared abandoned before its owner's name is kept
  intent_after_claim,       // a place in a queue is claimed before it is written down by whom
  intent_cleared_early,     // and is nobody's before it has been made good
  skip_is_an_item,          // the place of a dead pusher is popped as if it held something
  followers_left,  // what follows a dead pusher's place is popped without what is before it
  followers_dropped_unasked,  // or is dropped, though its pusher had come to its end
  skip_passed_relaxed,        // or may be seen as it was by who pops after that
  closed_ignored,             // who waits for an item of a closed queue goes on waiting
  barrier_not_repeated,       // who inherits a pipe's lock trusts in a barrier of the dead one's
  small_frame_marked_late,    // of a copied frame, where it begins is told after what is in it
  small_frame_left,           // and stays there, when its sender has been killed, for the next one
  serial_not_bumped,          // the parts of an item that has gone count as those of the next one
  note_after_claim,           // a worker claims a task before it notes which
  burial_says_nothing,        // what a dead worker had finished, and not told, is never told
  claim_without_a_look,       // an older worker claims a task when newer ones have taken its place
  pending_after_claim,        // an item is popped before it is written down for whose account
};

}  // namespace shoal::detail
