// SPDX-License-Identifier: MIT
#include "plugin.hpp"

#include <dlfcn.h>

#include <chrono>

#include "lock_subject.hpp"
#include "os/child.hpp"
#include "shoal/detail/deadline.hpp"
#include "shoal/lock_plugin.h"

namespace shoal::stress {
namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 30;
constexpr std::chrono::seconds kInitWithin{10};

// dlerror() has the file's name in it already.
void* open(const std::string& file) {
  // Without a slash it would be looked for where the system's libraries are.
  const std::string path = file.find('/') == std::string::npos ? "./" + file : file;
  void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw BadPlugin("cannot load the plugin: " + std::string(::dlerror()));
  return library;
}

class PluginLock : public LockSubject {
 public:
  explicit PluginLock(const std::string& file)
      : file_(file),
        library_(open(file)),
        size_(find<decltype(shoal_plugin_size)>("shoal_plugin_size")()),
        init_(find<decltype(shoal_plugin_init)>("shoal_plugin_init")),
        lock_(find<decltype(shoal_plugin_lock)>("shoal_plugin_lock")),
        unlock_(find<decltype(shoal_plugin_unlock)>("shoal_plugin_unlock")) {
    if (size_ == 0 || size_ > kMostBytes)
      throw BadPlugin(file + ": shoal_plugin_size() says " + std::to_string(size_) +
                      " bytes: it has to be 1 to " + std::to_string(kMostBytes));
  }

  [[nodiscard]] std::string name() const {
    const char* const name = find<decltype(shoal_plugin_name)>("shoal_plugin_name")();
    return name != nullptr && *name != 0 ? name : file_;
  }

 private:
  template <class Function>
  Function* find(const char* symbol) const {
    void* const address = ::dlsym(library_, symbol);
    if (address == nullptr)
      throw BadPlugin(file_ + ": it has no function " + symbol +
                      "(): a plugin has the five of <shoal/lock_plugin.h>");
    return reinterpret_cast<Function*>(address);
  }

  [[nodiscard]] std::size_t lock_size() const override { return size_; }
  // In a process of its own: what it does to that is no harm to this one.
  void set_up_lock(void* memory, const Plan&) override {
    lock_memory_ = memory;
    os::Child child([&] {
      init_(memory);
      return 0;
    });
    const bool in_time = child.ends_by(detail::deadline_after(kInitWithin));
    if (!in_time) child.send(os::kKill);
    static_cast<void>(child.ends_by(detail::kForever));
    const int code = child.exit_code().value_or(0);
    if (!in_time) throw BadPlugin(file_ + ": shoal_plugin_init() has not returned for 10 s");
    if (code != 0)
      throw BadPlugin(file_ + ": shoal_plugin_init() ended its process, " +
                      (code < 0 ? "by signal " + std::to_string(-code)
                                : "with status " + std::to_string(code)));
  }
  bool lock(Participant&) override {
    lock_(lock_memory_);
    return false;
  }
  void unlock(Participant&) override { unlock_(lock_memory_); }

  const std::string file_;
  void* const library_;
  const std::size_t size_;
  decltype(shoal_plugin_init)* const init_;
  decltype(shoal_plugin_lock)* const lock_;
  decltype(shoal_plugin_unlock)* const unlock_;
  void* lock_memory_ = nullptr;
};

}  // namespace

Plugin load_plugin(const std::string& file) {
  auto lock = std::make_unique<PluginLock>(file);
  std::string name = lock->name();
  return {std::move(name), std::move(lock)};
}

}  // namespace shoal::stress
