// SPDX-License-Identifier: MIT

// shoal: look at segments from outside, and clean up. What it may do to those who use them is said in
// segment_view.hpp: nothing. And shoal stress, whose segments have no names.

#include <CLI/CLI.hpp>
#include <exception>
#include <functional>
#include <string>
#include <string_view>

#include "commands.hpp"
#include "terminal.hpp"

namespace {

using namespace shoal::tool;

constexpr const char* kAbout =
    "Look into the shared memory of programs that use shoal, clean up after them, and torture "
    "locks.\n"
    "To look is free: nobody who uses a segment is delayed, and nothing in it is changed.";

constexpr const char* kExamples =
    "Try:\n"
    "  shoal ls                  the segments there are, and who is in them\n"
    "  shoal show shop           what is in one: objects, contents, holders, waiters\n"
    "  shoal doctor              deadlocks, abandoned locks, damage\n"
    "  shoal gc --dry-run        what the dead have left\n"
    "  shoal stress broken       locks that are wrong, and how that shows\n"
    "  shoal COMMAND --help      the rest\n"
    "\n"
    "Exit codes: 0 all is well; 1 not there, not permitted, not possible, FAIL of stress; 2 the\n"
    "command line was not understood; 3 something is wrong with a segment: damage, a deadlock, an\n"
    "abandoned lock; 4 not removed, for somebody alive has it open; 130 Ctrl-C.\n"
    "Colour is for terminals only, and not where NO_COLOR is set. More: man shoal.";

constexpr const char* kListExamples =
    "PROCESSES are those alive in it; 'dead' ones were killed, and will be buried by the next to\n"
    "come. THREADS are those of the living that have waited, or used a queue.\n"
    "\n"
    "  shoal ls --json | jq -r '.segments[] | select(.processes == 0) | .name'\n"
    "\n"
    "Exit codes: 0; 1 one that was asked for is not there; 3 one is damaged.";

constexpr const char* kShowExamples =
    "Contents are shown of numbers, bool and FixedString; of other types, their first bytes.\n"
    "\n"
    "  shoal show shop                         all there is\n"
    "  shoal show shop till                    one object, in full\n"
    "  shoal show shop counter --json | jq .content\n"
    "\n"
    "Exit codes: 0; 1 there is no such segment or object; 3 it is damaged.";

constexpr const char* kTopExamples =
    "OPS/S: pushes and pops of a queue, bytes through a pipe, rounds of a barrier, changes of an\n"
    "event, waits on a condition. CONTENDED/S: how often somebody who slept for a lock was woken.\n"
    "DEPTH: items, permits, arrivals. Locks do not count how often they are taken.\n"
    "Where standard output is no terminal, each look is a table below the last one; with --json,\n"
    "a line.\n"
    "\n"
    "Exit codes: 0; 130 Ctrl-C.";

constexpr const char* kRemoveExamples =
    "A segment that somebody alive has open is kept, unless forced. With --force those who have "
    "it\n"
    "open go on with it, and who comes later is alone in another.\n"
    "\n"
    "Exit codes: 0 all removed; 1 one is not there, or may not be removed; 4 one is in use.";

constexpr const char* kCollectExamples =
    "Removed is what somebody was killed in, and nobody alive has open. What everybody has left "
    "in\n"
    "good order is kept, for it may be meant to be there tomorrow; --unused removes that too.\n"
    "What is damaged is kept: see shoal rm. Who comes at that very moment is not lost: either the\n"
    "segment is kept, or it opens a new one.\n"
    "\n"
    "Exit codes: 0 done, also when there was nothing to do; 1 one could not be removed.";

constexpr const char* kDoctorExamples =
    "Told are: threads that wait for each other in a circle, also across segments; locks whose\n"
    "holder died; damage; and who waits for whom.\n"
    "\n"
    "--repair joins the segment, as any program that opens it, buries the dead, and recovers "
    "locks\n"
    "that are abandoned. That what such a lock protects is sound, it cannot know: you say so.\n"
    "A deadlock it does not resolve.\n"
    "\n"
    "Exit codes: 0 no problems (left); 1 one that was asked for is not there; 3 problems.";

constexpr const char* kStressExamples =
    "Processes do nothing but use it, and oracles tell whether it did what it should: mutual\n"
    "exclusion, no update lost, nobody left behind.\n"
    "\n"
    "  shoal stress lock rlock --kill 50       kill 50 a second meanwhile\n"
    "  shoal stress all --seconds 60 --report stress.html\n"
    "  shoal stress --plugin ./my_lock.so      your own\n"
    "  shoal stress broken                     locks that are wrong: what went wrong, and why\n"
    "\n"
    "The last line is PASS or FAIL. Of 'broken', PASS means that each was caught.\n"
    "Exit codes: 0 PASS; 1 FAIL; 2 not understood; 130 Ctrl-C.";

// People have the file's path at hand as well.
std::string name_of(const std::string& text) {
  constexpr std::string_view prefix = "/dev/shm/shoal.";
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

struct Command {
  CLI::App* app;
  std::function<int()> run;
};

CLI::App* add_command(CLI::App& app, const char* name, const char* about, const char* footer,
                      bool& json) {
  CLI::App* const command = app.add_subcommand(name, about);
  command->footer(footer);
  command->add_flag("--json", json, "for programs");
  return command;
}

CLI::Option* add_segments(CLI::App* command, Request& request, const char* about) {
  return command->add_option("SEGMENT", request.segments, about)->type_name("");
}

Command add_list(CLI::App& app) {
  static Request request;
  CLI::App* const command = add_command(app, "ls", "list segments", kListExamples, request.json);
  add_segments(command, request, "only these");
  return {command, [] { return list(request); }};
}

Command add_show(CLI::App& app) {
  static ShowRequest request;
  CLI::App* const command =
      add_command(app, "show", "what is in a segment", kShowExamples, request.json);
  command->add_option("SEGMENT", request.segment, "its name")->type_name("")->required();
  command->add_option("OBJECT", request.object, "only this one, in full")->type_name("");
  command->add_option("--items", request.most_items, "show so many elements of an array")
      ->check(CLI::Range(0, 1'000'000).description(""))
      ->type_name("N")
      ->capture_default_str();
  return {command, [] { return show(request); }};
}

Command add_remove(CLI::App& app) {
  static RemoveRequest request;
  CLI::App* const command =
      add_command(app, "rm", "remove segments", kRemoveExamples, request.json);
  add_segments(command, request, "their names")->required();
  command->add_flag("-f,--force", request.force, "also those that are in use");
  return {command, [] { return remove(request); }};
}

Command add_collect(CLI::App& app) {
  static CollectRequest request;
  CLI::App* const command =
      add_command(app, "gc", "remove what only the dead have used", kCollectExamples, request.json);
  add_segments(command, request, "only these");
  command->add_flag("-n,--dry-run", request.dry_run, "only say what would be removed, and why");
  command->add_flag("--unused", request.unused, "also what everybody has left in good order");
  return {command, [] { return collect(request); }};
}

Command add_doctor(CLI::App& app) {
  static DoctorRequest request;
  CLI::App* const command = add_command(app, "doctor", "deadlocks, abandoned locks, damage",
                                        kDoctorExamples, request.json);
  add_segments(command, request, "only these");
  command->add_flag("--repair", request.repair, "mend what the library can mend");
  return {command, [] { return examine(request); }};
}

Command add_top(CLI::App& app) {
  static TopRequest request;
  CLI::App* const command =
      add_command(app, "top", "what is going on, again and again", kTopExamples, request.json);
  add_segments(command, request, "only these");
  command->add_option("--interval", request.interval, "seconds between two looks")
      ->check(CLI::Range(0.05, 3600.0).description(""))
      ->type_name("S")
      ->capture_default_str();
  command->add_option("--count", request.count, "end after so many looks; 0: never")
      ->type_name("N")
      ->capture_default_str();
  return {command, [] { return top(request); }};
}

void add_stress_options(CLI::App& command, StressRequest& request) {
  command.add_option("--processes", request.processes, "so many at once")
      ->check(CLI::Range(1, 64).description(""))
      ->type_name("N");
  command.add_option("--seconds", request.seconds, "so long, each")
      ->check(CLI::Range(0.01, 1e6).description(""))
      ->type_name("S");
  command.add_option("--seed", request.seed, "of all that is random; chosen, and told, by default")
      ->type_name("N");
  command.add_option("--kill", request.kills, "kill -9 one at random, so many times a second")
      ->check(CLI::Range(0.0, 1000.0).description(""))
      ->type_name("RATE");
  command.add_option("--pause", request.pauses, "stop one for some ms, so many times a second")
      ->check(CLI::Range(0.0, 1000.0).description(""))
      ->type_name("RATE");
  command.add_option("--inject", request.inject, "none, yield, delay or sleep where it hurts")
      ->type_name("WHAT");
  command.add_option("--cpus", request.cpus, "run on these, one after the other: 0-1,3")
      ->type_name("LIST");
  command.add_option("--patience", request.patience, "without progress for so long: a failure")
      ->check(CLI::Range(0.05, 3600.0).description(""))
      ->type_name("S");
  command.add_option("--plugin", request.plugin, "a lock of yours: see lock_plugin.h")
      ->type_name("FILE.so");
  command.add_option("--report", request.report, "write a page with plots")->type_name("FILE.html");
}

Command add_stress(CLI::App& app) {
  static StressRequest request;
  CLI::App* const command = add_command(app, "stress", "torture a type, or a lock of yours",
                                        kStressExamples, request.json);
  command->add_option("WHAT", request.subjects, "names, all, or broken")->type_name("");
  command->add_flag("--list", request.list, "what there is to put under stress");
  add_stress_options(*command, request);
  return {command, [] { return stress(request); }};
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app(kAbout, "shoal");
  app.footer(kExamples);
  app.get_formatter()->column_width(30);
  app.set_version_flag("--version", "shoal " SHOAL_VERSION);
  app.require_subcommand(1);
  const Command commands[] = {add_list(app),   add_show(app), add_remove(app), add_collect(app),
                              add_doctor(app), add_top(app),  add_stress(app)};
  for (CLI::App* const command : app.get_subcommands({}))
    for (CLI::Option* const option : command->get_options())
      if (option->get_name() == "SEGMENT") option->transform(name_of, "");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kWell : kUsage;
  }
  for (const Command& command : commands)
    if (command.app->parsed()) return command.run();
  return kUsage;
} catch (const std::exception& error) {
  complain(error.what());
  return kFailed;
}
