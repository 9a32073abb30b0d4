// SPDX-License-Identifier: MIT
#include "interruptible.hpp"

#include <iterator>

namespace shoal::stress {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
constexpr std::size_t kHangUp = 2;
volatile std::sig_atomic_t seen = 0;

}  // namespace

Interruptible::Interruptible() {
  seen = 0;
  struct sigaction action {};
  action.sa_handler = [](int signal) { seen = signal; };
  for (std::size_t i = 0; i < std::size(kSignals); ++i) ::sigaction(kSignals[i], &action, &old_[i]);
  // Under nohup(1).
  if (old_[kHangUp].sa_handler == SIG_IGN) ::sigaction(SIGHUP, &old_[kHangUp], nullptr);
}

Interruptible::~Interruptible() {
  for (std::size_t i = 0; i < std::size(kSignals); ++i) ::sigaction(kSignals[i], &old_[i], nullptr);
}

int Interruptible::signal() { return seen; }

void Interruptible::ignore() {
  for (const int signal : kSignals) std::signal(signal, SIG_IGN);
}

}  // namespace shoal::stress
