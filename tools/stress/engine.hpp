// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "histogram.hpp"
#include "plan.hpp"
#include "subject.hpp"

namespace shoal::stress {

// What was seen to go wrong, and how long after the beginning.
struct Failure {
  std::string what;
  double ms;
};

// How far each participant was at that time.
struct Sample {
  double seconds;
  std::vector<std::uint64_t> operations;
};

struct Outcome {
  Plan plan;
  double seconds = 0;                     // that it took
  std::vector<std::uint64_t> operations;  // steps, of each participant
  Histogram waits;                        // nanoseconds
  double longest_stall_ms = 0;            // of one participant, between two steps
  unsigned longest_stall_of = 0;
  std::uint64_t kills = 0;
  std::uint64_t pauses = 0;
  std::vector<Failure> failures;  // none: passed
  std::vector<Sample> samples;
  int interrupted_by = 0;  // a signal, or 0

  [[nodiscard]] std::uint64_t total() const;
  [[nodiscard]] double rate() const;  // steps a second, of all together
  // R. Jain, D. Chiu, W. Hawe, A Quantitative Measure of Fairness, 1984: 1 where all did as much, 1 / n
  // where one did it all.
  [[nodiscard]] double fairness() const;
};

// Puts the subject under stress as planned, in processes forked for it, and has ended them all when
// it returns. Ends early at the first failure, and at SIGINT, SIGTERM and SIGHUP. Nothing of it
// outlives this process, however that ends. `on_progress` is called some ten times a second.
//
// A failure is: what an oracle says by Participant::fail(), a step that throws, a participant that
// ends by itself, a sum that is wrong; and a stall: one that has not ended a step for plan.patience
// seconds, though nobody whom it may depend on lacked CPU time. Of a moment in which somebody was
// ready to run and did not run, or was stopped, only the time that he ran counts. So a busy machine
// stretches the patience, and does not make a failure.
//
// Throws std::system_error where there is no memory, or no process to be had.
Outcome run(Subject& subject, const Plan& plan,
            const std::function<void(const Sample&, const Outcome&)>& on_progress = {});

}  // namespace shoal::stress
