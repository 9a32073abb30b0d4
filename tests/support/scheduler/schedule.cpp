// SPDX-License-Identifier: MIT
#include "support/scheduler/schedule.hpp"

#include <stdexcept>

namespace shoal_test {

namespace {

std::size_t equal_steps(const Schedule& schedule, std::size_t from) {
  if (schedule[from].kind != Choice::Kind::step || schedule[from].age != 0) return 1;
  std::size_t end = from + 1;
  while (end < schedule.size() && schedule[end] == schedule[from]) ++end;
  return end - from;
}

std::size_t number_at(std::string_view text, std::size_t& at) {
  constexpr std::size_t kMost = 1'000'000;
  std::size_t number = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    number = number * 10 + static_cast<std::size_t>(text[at] - '0');
    if (number > kMost) throw std::invalid_argument("a number in the schedule is too large");
  }
  return number;
}

Choice choice_at(std::string_view text, std::size_t& at) {
  Choice::Kind kind = Choice::Kind::step;
  if (text[at] == '@') {
    kind = Choice::Kind::timeout;
    ++at;
  }
  const char letter = at < text.size() ? text[at++] : '\0';
  if (letter >= 'a' && letter <= 'z') return {kind, letter - 'a'};
  if (letter >= 'A' && letter <= 'Z' && kind == Choice::Kind::step) {
    return {Choice::Kind::kill, letter - 'A'};
  }
  throw std::invalid_argument("not a schedule: " + std::string(text));
}

}  // namespace

std::string to_text(const Schedule& schedule) {
  std::string text;
  for (std::size_t i = 0; i < schedule.size();) {
    const Choice& choice = schedule[i];
    const bool kill = choice.kind == Choice::Kind::kill;
    if (choice.kind == Choice::Kind::timeout) text += '@';
    text += static_cast<char>((kill ? 'A' : 'a') + choice.participant);
    text.append(choice.age, '.');
    const std::size_t times = equal_steps(schedule, i);
    if (times > 1) text += std::to_string(times);
    i += times;
  }
  return text;
}

Schedule schedule_from(std::string_view text) {
  Schedule schedule;
  for (std::size_t at = 0; at < text.size();) {
    Choice choice = choice_at(text, at);
    for (; at < text.size() && text[at] == '.'; ++at) ++choice.age;
    const std::size_t times = number_at(text, at);
    schedule.insert(schedule.end(), times == 0 ? 1 : times, choice);
  }
  return schedule;
}

}  // namespace shoal_test
