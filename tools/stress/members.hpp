// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control.hpp"
#include "os/child.hpp"
#include "plan.hpp"
#include "subject.hpp"
#include "watch.hpp"

namespace shoal::stress {

// The participants' processes, as the engine has them: forked, tormented and ended by it. None of them
// outlives this, nor this process. One thread uses it.
class Members {
 public:
  Members(Control& control, Subject& subject, const Plan& plan)
      : control_(control), subject_(subject), plan_(plan), members_(plan.processes) {}
  Members(const Members&) = delete;
  Members& operator=(const Members&) = delete;
  ~Members() { end_all(); }

  [[nodiscard]] unsigned count() const { return plan_.processes; }
  void start(unsigned index);  // its first life, or the one after it was killed
  [[nodiscard]] bool all_ready() const;

  void kill(unsigned index);  // and waits for its end, and tells the subject
  // SIGSTOP. False where it has been stopped already.
  bool stop(unsigned index, std::int64_t resume_at);
  void resume(std::int64_t now);  // those whose time has come
  // When the next one is to be resumed; kForever: none is stopped.
  [[nodiscard]] std::int64_t next_resume() const;

  // Who has left by himself. Returns what is wrong with how somebody did, or nothing.
  [[nodiscard]] std::string note_ends();
  [[nodiscard]] bool all_left() const;
  void end_all();  // by SIGKILL, and waits

  [[nodiscard]] std::vector<Watch::Look> looks() const;

 private:
  struct Member {
    std::unique_ptr<os::Child> child;
    std::int64_t resume_at = 0;  // stopped until then; 0: not stopped
    bool left = false;
  };

  void signal_stopped(int signal);  // to those who are to be resumed

  Control& control_;
  Subject& subject_;
  const Plan& plan_;
  std::vector<Member> members_;
};

}  // namespace shoal::stress
