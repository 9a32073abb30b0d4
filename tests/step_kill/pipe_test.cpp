// SPDX-License-Identifier: MIT

// A Pipe, its users killed at every instruction.
//
// Model. What was sent whole is received, in order and once, by whoever receives next; the message
// that the victim was sending is there or not, and where it is half, its receiver is told once, by
// Truncated; the one that it was receiving may be lost, and no other. Then, if the victim was alone at
// its end, the other one is at its end of file. Either end can be taken over, unless the living hold
// it, and messages of any size go through it both ways.

#include "shoal/pipe.hpp"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "shoal/error.hpp"
#include "shoal/segment.hpp"
#include "step_kill/programme.hpp"
#include "step_kill/segment_view.hpp"
#include "support/child.hpp"
#include "support/shared.hpp"
#include "support/step_kill.hpp"
#include "support/temp_name.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::Connection;
using shoal::Pipe;
using shoal::Segment;

namespace {

const std::string kLarge(700, 'L');  // larger than the pipe

// What is received, letter by letter: a message's first one, or
constexpr char kHalf = '?';  // Truncated
constexpr char kEnd = '.';   // EndOfFile

char receive(const Connection& connection) {
  try {
    const auto message = connection.recv_for<std::string>(5s);
    if (!message) throw std::runtime_error("nothing came");
    if (*message != kLarge && message->size() != 1) throw std::runtime_error("another message");
    return message->front();
  } catch (const shoal::Truncated&) {
    return kHalf;
  } catch (const shoal::EndOfFile&) {
    return kEnd;
  }
}
std::string receive_all(const Connection& connection) {
  std::string letters;
  while (letters.empty() || letters.back() != kEnd) letters += receive(connection);
  return letters;
}
std::string letter(char c) { return std::string(1, c); }

struct PipeScene : Scene {
  TempName name;
  Segment segment{name, small_segment()};
  Pipe pipe{segment, "pipe", {.capacity = 256}};
  std::optional<Connection> mine;  // the victim's

  std::uint64_t state() override { return SegmentView(name.path()).hash(); }

  // Both ends, whoever had them, once nobody alive has; with nothing left in them.
  std::string check_use() {
    const Connection a = pipe.first();
    const Connection b = pipe.second();
    for (const std::string& text : {letter('x'), kLarge, letter('y')}) {
      std::thread there([&] { a.send(text); });
      const char got = receive(b);
      there.join();
      std::thread back([&] { b.send(text); });
      const char returned = receive(a);
      back.join();
      if (got != text[0] || returned != text[0]) return "does not pass on";
    }
    return a.poll() || b.poll() ? "something is left" : "";
  }
};

// Alone at the first end, with two messages sent; nobody is at the other end yet.
struct Sends : PipeScene {
  void prepare() override {
    mine = pipe.first();
    mine->send(letter('a'));
    mine->send(letter('b'));
  }
  void operate() override { mine->send(letter('c')); }
  void repair() override {
    const Connection newcomer = pipe.first();
    newcomer.send(letter('d'));
  }
  std::string survive(const Fate& fate) override {
    const Connection b = pipe.second();
    const std::string got = receive_all(b);
    for (const char* sent : {"", "c"})
      for (const char* repaired : {"", "d"}) {
        if (fate.completed && *sent == 0) continue;
        if (fate.repaired && *repaired == 0) continue;
        if (got != std::string("ab") + sent + repaired + kEnd) continue;
        const Connection a = pipe.first();
        a.send(letter('e'));
        if (receive(b) != 'e') return "the newcomer's message is lost";
        return finish(a, b);
      }
    return "received " + got;
  }
  std::string finish(const Connection& a, const Connection& b) {
    a.close();
    b.close();
    return check_use();
  }
};

// Into the last room there is. The newcomer finds none for what it sends first.
struct SendsLast : PipeScene {
  static constexpr int kBefore = 9;
  void prepare() override {
    mine = pipe.first();
    for (int i = 0; i < kBefore; ++i) mine->send(letter('a'));
  }
  void operate() override { mine->send(letter('c')); }
  std::string survive(const Fate& fate) override {
    const Connection a = pipe.first();
    if (a.send_for(kLarge, 0ms)) return "there is room";
    const Connection b = pipe.second();
    std::string got;
    while (b.poll()) got += receive(b);
    a.send(letter('e'));
    if (receive(b) != 'e') return "the newcomer's message is lost";
    const std::string before(kBefore, 'a');
    if (got == before + 'c' || (!fate.completed && got == before)) return "";
    return "received " + got;
  }
};

// A message so small that it comes with its position. The newcomer is refused at first, and then
// sends empty ones: two take up as much room.
struct SendsSmall : PipeScene {
  std::string before;
  void prepare() override {
    mine = pipe.first();
    for (const char c : before) mine->send(c);
  }
  void operate() override { mine->send('c'); }
  std::string survive(const Fate& fate) override {
    const Connection b = pipe.second();
    std::string got;
    try {
      while (true) got += b.recv<char>();
    } catch (const shoal::EndOfFile&) {
      if (got != before + 'c' && (fate.completed || got != before)) return "received " + got;
    }
    be_refused();
    const Connection a = pipe.first();
    for (int i = 0; i < 2; ++i) a.send_bytes({});
    for (int i = 0; i < 2; ++i) {
      const auto message = b.recv_bytes_for(5s);
      if (!message || !message->empty()) return "the newcomer's message is lost";
    }
    return "";
  }
  void be_refused() {
    const Connection a = pipe.first();
    a.close();
    try {
      a.send('d');
      throw std::logic_error("not refused");
    } catch (const shoal::Closed&) {
    }
  }
};

// Not its first one: at once.
struct SendsSmallNext : SendsSmall {
  SendsSmallNext() { before = "ab"; }
};

// A partner receives, asleep at first.
struct SendsToSleeper : Sends {
  Shared<std::array<char, 16>> heard;
  void prepare() override { mine = pipe.first(); }
  std::vector<std::function<bool()>> partners() override {
    return {[this] {
      const Connection b = pipe.second();
      const std::string all = receive_all(b);
      all.copy(heard->data(), heard->size() - 1);
      return true;
    }};
  }
  std::string survive(const Fate& fate) override {
    const auto end = std::chrono::steady_clock::now() + 5s;
    std::string all;
    while ((all = heard->data()).empty() || all.back() != kEnd) {
      if (std::chrono::steady_clock::now() > end) return "the receiver never ended";
      std::this_thread::sleep_for(100us);
    }
    if (const std::string wrong = judge(all, fate.completed); !wrong.empty()) return wrong;
    while (true) try {
        return check_use();
      } catch (const shoal::Busy&) {  // the partner is about to end
        if (std::chrono::steady_clock::now() > end) return "busy for good";
      }
  }
  virtual std::string judge(const std::string& all, bool completed) {
    if (all == "c." || (!completed && all == ".")) return "";
    return "received " + all;
  }
};

struct SendsLargeToSleeper : SendsToSleeper {
  void operate() override {
    mine->send(kLarge);
    mine->send(letter('c'));
  }
  std::string judge(const std::string& all, bool completed) override {
    if (all == "Lc.") return "";
    if (!completed && (all == "." || all == "?." || all == "L.")) return "";
    return "received " + all;
  }
};

// No room, and nobody who makes any: the victim gives up in the middle of its message.
struct GivesUp : Sends {
  void operate() override {
    if (mine->send_for(kLarge, 3ms)) throw std::logic_error("sent");
  }
  std::string survive(const Fate& fate) override {
    const Connection b = pipe.second();
    const std::string got = receive_all(b);
    if (got != "ab." && (fate.completed || got != "ab?.")) return "received " + got;
    b.close();
    return check_use();
  }
};

// All share both ends, and live. The favourite is the stage, so the victim needs the lock.
struct Shares : PipeScene {
  Connection a{pipe.first()};
  Connection b{pipe.second()};
  Shares() {
    a.send(letter('a'));
    a.send(letter('b'));
    if (receive(b) != 'a') throw std::logic_error("not received");
    a.send(letter('c'));
  }
  std::string rest(int messages) {
    std::string got;
    while (messages-- > 0 || b.poll()) got += receive(b);
    return got;
  }
};

struct SendsShared : Shares {
  void operate() override { a.send(letter('d')); }
  std::string survive(const Fate& fate) override {
    const std::string got = rest(2);
    if (got != "bcd" && (fate.completed || got != "bc")) return "received " + got;
    a.send(kLarge.substr(0, 1));
    return receive(b) == 'L' ? "" : "does not pass on";
  }
};

struct ReceivesShared : Shares {
  void operate() override {
    if (receive(b) != 'b') throw std::logic_error("another message");
  }
  std::string survive(const Fate& fate) override {
    const std::string got = rest(1);
    if (got != "c" && (fate.completed || got != "bc")) return "received " + got;
    a.send(letter('e'));
    return receive(b) == 'e' ? "" : "does not pass on";
  }
};

// Alone at the second end, with one message received: the next one at once.
struct Receives : PipeScene {
  Connection a{pipe.first()};
  Receives() {
    for (const char c : {'a', 'b', 'c'}) a.send(letter(c));
  }
  void prepare() override {
    mine = pipe.second();
    if (receive(*mine) != 'a') throw std::logic_error("another message");
  }
  void operate() override {
    if (receive(*mine) != 'b') throw std::logic_error("another message");
  }
  std::string survive(const Fate& fate) override {
    const Connection b = pipe.second();
    std::string got;
    while (b.poll()) got += receive(b);
    if (got != "c" && (fate.completed || got != "bc")) return "received " + got;
    a.send(letter('e'));
    return receive(b) == 'e' ? "" : "does not pass on";
  }
};

// A partner sends a large message, and one after it.
struct ReceivesLarge : Shares {
  std::vector<std::function<bool()>> partners() override {
    return {[this] {
      a.send(kLarge);
      a.send(letter('z'));
      return true;
    }};
  }
  void prepare() override {
    for (const char expected : {'b', 'c'})
      if (receive(b) != expected) throw std::logic_error("another message");
  }
  void operate() override {
    if (receive(b) != 'L') throw std::logic_error("another message");
  }
  std::string survive(const Fate& fate) override {
    std::string got;
    while (got.empty() || got.back() != 'z') got += receive(b);
    if (got != "z" && (fate.completed || got != "Lz")) return "received " + got;
    return b.poll() ? "something is left" : "";
  }
};

// Alone at the first end, at the other end of which somebody sleeps.
struct Closes : PipeScene {
  SharedCounter ended;
  void prepare() override { mine = pipe.first(); }
  std::vector<std::function<bool()>> partners() override {
    return {[this] {
      {
        const Connection b = pipe.second();
        if (receive_all(b) != ".") return false;
      }
      ++*ended;
      return true;
    }};
  }
  void operate() override { mine->close(); }
  std::string survive(const Fate&) override {
    while (*ended == 0) std::this_thread::sleep_for(100us);
    return check_use();
  }
};

// The one who had the end is dead, and has left half a message; `there`: somebody is at the other.
template <bool there>
struct TakesOver : PipeScene {
  std::optional<Connection> other;
  TakesOver() {
    if (there) other = pipe.second();
    Child dead([this] {
      const Connection a = pipe.first();
      a.send(letter('a'));
      a.send(kLarge);
    });
    dead.wait_until_asleep();
    dead.kill();
  }
  void operate() override { mine = pipe.first(); }
  std::string survive(const Fate&) override {
    if (!other) other = pipe.second();
    const std::string got = receive_all(*other);
    if (got != "a?.") return "received " + got;
    const Connection a = pipe.first();
    a.send(letter('e'));
    if (receive(*other) != 'e') return "does not pass on";
    if (there) return "";
    a.close();
    other->close();
    return check_use();
  }
};

StepOptions waiting() {
  StepOptions options = where_changed();
  options.instructions = 20'000;
  return options;
}

}  // namespace

TEST_SUITE_BEGIN("step-kill: pipe");

TEST_CASE("pipe: killed while sending: the message is there, or not") {
  kill_everywhere<Sends>("pipe.send", {50, full_programme() ? 200U : 10U, 4});
  kill_everywhere<SendsLast>("pipe.send, the last that there is room for", {50, 10, 4});
  kill_everywhere<SendsSmall>("pipe.send, small", {50, 10, 4});
  kill_everywhere<SendsSmallNext>("pipe.send, small, not the first", {50, 10, 4});
  kill_everywhere<SendsShared>("pipe.send, shared", {100, 20, 6});
  kill_everywhere<SendsToSleeper>("pipe.send, to a sleeper",
                                  {.instructions = 50, .points = 20, .states = 3, .strays = true});
}

TEST_CASE("pipe: killed while sending a large message: whole, or truncated once") {
  kill_everywhere<SendsLargeToSleeper>(
      "pipe.send, larger than the pipe",
      {.instructions = 300, .points = 50, .states = 5, .strays = true}, where_changed());
  kill_everywhere<GivesUp>("pipe.send, no room",
                           {.instructions = 300, .points = 50, .states = 5, .strays = true},
                           waiting());
}

TEST_CASE("pipe: killed while receiving: that message is lost, at most") {
  kill_everywhere<Receives>("pipe.recv", {50, 10, 2});
  kill_everywhere<ReceivesShared>("pipe.recv, shared", {100, 20, 5});
  kill_everywhere<ReceivesLarge>("pipe.recv, larger than the pipe",
                                 {.instructions = 300, .points = 50, .states = 5, .strays = true},
                                 where_changed());
}

TEST_CASE("pipe: killed while closing an end: the other one is told") {
  kill_everywhere<Closes>("pipe.close", {50, 10, 3});
}

TEST_CASE("pipe: killed while taking an end over: it can be taken again") {
  kill_everywhere<TakesOver<true>>("pipe.first, awaited", {100, 10, 3});
  kill_everywhere<TakesOver<false>>("pipe.first, alone", {100, 10, 3});
}

TEST_CASE("pipe: killed while taking over from one who was killed sending") {
  StepOptions options = where_changed();
  options.stride = full_programme() ? 1 : 6;
  kill_repairers<Sends>("pipe.send, twice", {20, 50, 6}, options);
}

TEST_SUITE_END();
