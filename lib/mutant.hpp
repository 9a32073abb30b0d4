// SPDX-License-Identifier: MIT
#pragma once

namespace shoal::detail {

// The bugs that tests seed on purpose in what is not a template over a World, to prove that they
// would be found. tests/mutants.cmake compiles one source with SHOAL_MUTANT_SEEDED set to one of
// these; in the library it is none, for which all of this compiles to nothing.
enum class Seeded {
  none,
  // process_record.cpp
  generation_not_bumped,   // buries without moving the generation on
  burial_not_swept_again,  // a record found dying is freed without another sweep
  reused_before_swept,     // a record is free before its dead user's things are swept
  // mapping.cpp
  open_sets_not_copied,  // a forked child is not counted among those who have an object open
  child_keeps_file,      // a forked child keeps its parent's descriptor, and so its liveness
  // directory.cpp
  visible_before_built,      // others see an object before it is built
  erased_reused_while_open,  // an erased object's range is given away though it is open
  offset_unchecked,          // an object's range is believed as it stands in shared memory
  index_unchecked,           // and so is the number of records
};

#ifndef SHOAL_MUTANT_SEEDED
#define SHOAL_MUTANT_SEEDED none
#endif
constexpr Seeded kSeeded = Seeded::SHOAL_MUTANT_SEEDED;

}  // namespace shoal::detail
