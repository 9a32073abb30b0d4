// SPDX-License-Identifier: MIT

#include "timeline.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace {

// Who overwrote whom is recorded, so the order of the stores is known.
std::vector<Step> in_order(std::vector<Addition> additions) {
  std::vector<Step> steps;
  Number current;
  while (!additions.empty()) {
    const auto next = std::find_if(additions.begin(), additions.end(),
                                   [&](const Addition& one) { return one.overwritten == current; });
    if (next == additions.end()) throw std::logic_error("a store is missing from the recording");
    current = next->stored;
    steps.push_back({.what = *next});
    additions.erase(next);
  }
  return steps;
}

void find_what_each_is_built_on(std::vector<Step>& steps) {
  for (int at = 0; at < static_cast<int>(steps.size()); ++at) {
    Step& step = steps[static_cast<std::size_t>(at)];
    if (step.what.loaded == Number{}) continue;
    step.built_on = at - 1;
    while (step.built_on >= 0 &&
           steps[static_cast<std::size_t>(step.built_on)].what.stored != step.what.loaded)
      --step.built_on;
    if (step.built_on < 0) throw std::logic_error("a number was loaded before it was stored");
  }
}

// A load lies between the store of what it loaded and the next store.
void find_moments(std::vector<Step>& steps) {
  std::vector<Step*> by_load;
  by_load.reserve(steps.size());
  for (Step& step : steps) by_load.push_back(&step);
  std::stable_sort(by_load.begin(), by_load.end(), [](const Step* a, const Step* b) {
    return std::pair(a->built_on, a->what.load.before) <
           std::pair(b->built_on, b->what.load.before);
  });
  std::int64_t moment = 0;
  auto load = by_load.begin();
  for (int at = 0; at < static_cast<int>(steps.size()); ++at) {
    for (; load != by_load.end() && (*load)->built_on < at; ++load)
      (*load)->loaded = moment = std::max(moment, (*load)->what.load.before);
    Step& step = steps[static_cast<std::size_t>(at)];
    step.stored = moment = std::max(moment, step.what.store.before);
  }
}

bool contains(const std::vector<Step>& steps, int number, int step) {
  while (number > step) number = steps[static_cast<std::size_t>(number)].built_on;
  return number == step;
}

// A step is lost by the last store that did not contain it, over a number that did.
void find_losses(Timeline& timeline) {
  std::vector<Step>& steps = timeline.steps;
  const int count = timeline.expected();
  for (int by = 1; by < count; ++by) {
    Loss loss{by, {}};
    for (int step = 0; step < by; ++step) {
      bool is_lost = contains(steps, by - 1, step);
      for (int later = by; later < count && is_lost; ++later)
        is_lost = !contains(steps, later, step);
      if (!is_lost) continue;
      steps[static_cast<std::size_t>(step)].loss = static_cast<int>(timeline.losses.size());
      loss.lost.push_back(step);
    }
    if (!loss.lost.empty()) timeline.losses.push_back(loss);
  }
}

std::string whose(const Number& number) {
  if (number.process < 0) return std::to_string(number.value);
  return "P" + std::to_string(number.process) + "'s " + std::to_string(number.value);
}

}  // namespace

Timeline timeline_of(const Recording& recording) {
  Timeline timeline{recording.processes, recording.locked, in_order(recording.additions), {}};
  find_what_each_is_built_on(timeline.steps);
  find_moments(timeline.steps);
  find_losses(timeline);
  return timeline;
}

std::string sentence(const Timeline& timeline, const Loss& loss) {
  const Addition& by = timeline.steps[static_cast<std::size_t>(loss.by)].what;
  std::string text = "P" + std::to_string(by.stored.process) + " stored " +
                     std::to_string(by.stored.value) + " over " + whose(by.overwritten) +
                     ", having read " + whose(by.loaded) + " before it.";
  for (std::size_t i = 0; i + 1 < loss.lost.size(); ++i) {
    const Step& lost = timeline.steps[static_cast<std::size_t>(loss.lost[i])];
    text += (i == 0 ? " Lost with it: " : i + 2 == loss.lost.size() ? " and " : ", ");
    text += whose(lost.what.stored);
  }
  return text + (loss.lost.size() > 1 ? "." : "");
}
