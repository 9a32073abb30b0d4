# Bugs seeded in those parts of the library that are not templates over a World, each of which a
# named test must find. (Those in lib/core are seeded in the scheduler's tests.) A mutant is a test
# program linked once more, with one source compiled anew; it is built only where its test runs.

add_custom_target(shoal_mutants)
add_test(NAME mutants.build COMMAND
  ${CMAKE_COMMAND} --build ${PROJECT_BINARY_DIR} --target shoal_mutants)
set_tests_properties(mutants.build PROPERTIES
  LABELS full TIMEOUT 600 FIXTURES_SETUP mutants RESOURCE_LOCK mutants)

# shoal_mutant(name OF program TEST case FINDS text SOURCES file ... [OBJECTS object ...])
#
# The program's case must fail by an assertion, having printed the text. In the case's name * stands
# for anything. The sources are linked with the program's objects, or with those given, before the
# library: what it has of the same name is left out.
function(shoal_mutant name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "OF;TEST;FINDS" "SOURCES;OBJECTS")
  set(target shoal_mutant_${name})
  if(NOT arg_OBJECTS)
    set(arg_OBJECTS $<TARGET_OBJECTS:${arg_OF}>)
  endif()
  add_executable(${target} EXCLUDE_FROM_ALL ${arg_SOURCES} ${arg_OBJECTS})
  target_link_libraries(${target} PRIVATE shoal_test_main shoal_test_support)
  add_dependencies(shoal_mutants ${target})
  shoal_add_test(mutant.${name} "full;mutant" 120
    sh ${CMAKE_CURRENT_SOURCE_DIR}/mutant_check.sh $<TARGET_FILE:${target}> ${arg_TEST}
    ${arg_FINDS})
  set_tests_properties(mutant.${name} PROPERTIES FIXTURES_REQUIRED "shm;mutants")
endfunction()

# In lib: what SHOAL_MUTANT_SEEDED says in lib/mutant.hpp.
function(shoal_lib_mutant name source)
  shoal_mutant(${name} SOURCES ${PROJECT_SOURCE_DIR}/lib/${source} ${ARGN})
  target_compile_definitions(shoal_mutant_${name} PRIVATE SHOAL_MUTANT_SEEDED=${name})
endfunction()

shoal_lib_mutant(generation_not_bumped process_record.cpp OF shoal_step_kill_tests
  TEST "killed while burying the dead"
  FINDS "unlocked by one who does not hold it")
shoal_lib_mutant(burial_not_swept_again process_record.cpp OF shoal_step_kill_tests
  TEST "killed while burying the dead"
  FINDS "lock: told of 0, not ")
shoal_lib_mutant(reused_before_swept process_record.cpp OF shoal_step_kill_tests
  TEST "killed while burying the dead"
  FINDS "lock: told of 0, not ")
shoal_lib_mutant(open_sets_not_copied mapping.cpp OF shoal_step_kill_tests
  TEST "killed while forking"
  FINDS "what the child had open was given away")
shoal_lib_mutant(child_keeps_file mapping.cpp OF shoal_step_kill_tests
  TEST "killed while forking"
  FINDS "other: told of 0, not ")
shoal_lib_mutant(visible_before_built directory.cpp OF shoal_step_kill_tests
  TEST "killed while making, opening, closing, erasing a lock"
  FINDS "there, and not whole")
shoal_lib_mutant(erased_reused_while_open directory.cpp OF shoal_step_kill_tests
  TEST "killed while making, opening, closing, erasing a lock"
  FINDS "open elsewhere: killed after ")
shoal_lib_mutant(offset_unchecked directory.cpp OF shoal_tests
  TEST "a live record whose range is outside the segment is Corrupted"
  FINDS "== corrupted ) is NOT correct")
shoal_lib_mutant(index_unchecked directory.cpp OF shoal_tests
  TEST "each byte of the tables and the objects, flipped before opening*"
  FINDS "child.exit_status() == 0 ) is NOT correct")

# In a public header, which may have no macros: a copy of it, with two statements exchanged.
set(header include/shoal/value.hpp)
set(copy "bytes.copy_to_shared(copy(version + 1));")
set(flip "word_->version.store(version + 1, std::memory_order_release);")
file(READ ${PROJECT_SOURCE_DIR}/${header} right)
string(REPLACE "    ${copy}\n    ${flip}" "    ${flip}\n    ${copy}" wrong "${right}")
if(wrong STREQUAL right)
  message(FATAL_ERROR "mutants: ${header} does not fill the copy in and then flip any more")
endif()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${header})
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/mutants/${header} CONTENT "${wrong}" @ONLY)
shoal_mutant(flip_before_copy
  TEST "killed while writing a long double*"
  FINDS ": torn"
  SOURCES step_kill/value_test.cpp
  OBJECTS $<FILTER:$<TARGET_OBJECTS:shoal_step_kill_tests>,INCLUDE,programme|segment_model|segment_view>)
target_include_directories(shoal_mutant_flip_before_copy BEFORE PRIVATE
  ${CMAKE_CURRENT_BINARY_DIR}/mutants/include)
