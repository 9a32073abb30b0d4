// SPDX-License-Identifier: MIT
#pragma once

// The program that a simulation runs: a Model (see scheduler.hpp), with its type forgotten.

#include <cstdint>
#include <optional>
#include <string>

#include "support/scheduler/options.hpp"

namespace shoal_test {

class Program {
 public:
  virtual ~Program() = default;
  virtual int participants() const = 0;
  virtual void construct() = 0;  // the state of a run, afresh and always at the same address
  virtual void run(int participant) = 0;
  virtual std::uint64_t owner(int participant) const = 0;
  virtual bool has_invariant() const = 0;
  virtual std::string invariant() const = 0;
  virtual std::string check(const Outcome& outcome) const = 0;
};

template <class Model>
class ProgramOf final : public Program {
 public:
  int participants() const override { return Model::kParticipants; }

  void construct() override { model_.emplace(); }

  void run(int participant) override {
    typename Model::World world;
    model_->participant(world, participant);
  }

  std::uint64_t owner(int participant) const override {
    if constexpr (requires { Model::owner(participant); }) {
      return Model::owner(participant);
    } else {
      return static_cast<std::uint64_t>(participant) + 1;
    }
  }

  bool has_invariant() const override { return kInvariant; }

  std::string invariant() const override {
    if constexpr (kInvariant) return model_->invariant();
    return {};
  }

  std::string check(const Outcome& outcome) const override {
    if constexpr (requires { model_->check(outcome); }) return model_->check(outcome);
    return {};
  }

 private:
  static constexpr bool kInvariant = requires(const Model& model) { model.invariant(); };
  static_assert(Model::kParticipants <= kMaxParticipants);

  std::optional<Model> model_;
};

}  // namespace shoal_test
