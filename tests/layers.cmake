# cmake -D ROOT=<source tree> -P layers.cmake
#
# Fails on every include that points upwards or sideways, and on every preprocessor condition
# outside lib/os but those that seed a test's bug in lib. What each folder may include:
#
#   include/shoal   the standard library, shoal/
#   lib/core        the standard library, core/, shoal/detail/
#   lib/os          the standard library, the system, Boost, os/, shoal/detail/
#   lib/*           the standard library, each other, core/, os/, shoal/
#   tools           the standard library, the system, CLI11, JSON, each other, lib, shoal/
#   demos           the standard library, <unistd.h>, <getopt.h>, Boost.Process, shoal/, each other
#   benchmarks      anything but the inside of the library
cmake_minimum_required(VERSION 3.24)

set(std "<[a-z_0-9]+>")
set(breaches 0)
set(seen 0)

# check(<files> ALLOW <regex of an include>... [DENY <regex of an include>...]
#       [NEVER <regex of a directive> [EXCEPT <regex of a directive>]])
function(check)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NEVER;EXCEPT" "FILES;ALLOW;DENY")
  foreach(path IN LISTS arg_FILES)
    math(EXPR seen "${seen} + 1")
    file(READ ${path} text)
    string(REGEX REPLACE "[][;\\]" " " text "\n${text}")  # these mean something in a CMake list
    string(REGEX MATCHALL "\n[ \t]*#[^\n]*" directives "${text}")
    foreach(directive IN LISTS directives)
      string(STRIP "${directive}" directive)
      set(wrong FALSE)
      if(arg_EXCEPT AND directive MATCHES "${arg_EXCEPT}")
        continue()
      elseif(arg_NEVER AND directive MATCHES "^# *(${arg_NEVER})")
        set(wrong TRUE)
      elseif(directive MATCHES "^# *include *([<\"][^>\"]*[>\"])")
        set(header ${CMAKE_MATCH_1})
        set(wrong TRUE)
        foreach(regex IN LISTS arg_ALLOW)
          if(header MATCHES "^${regex}$")
            set(wrong FALSE)
          endif()
        endforeach()
        foreach(regex IN LISTS arg_DENY)
          if(header MATCHES "^${regex}$")
            set(wrong TRUE)
          endif()
        endforeach()
      endif()
      if(wrong)
        math(EXPR breaches "${breaches} + 1")
        cmake_path(RELATIVE_PATH path BASE_DIRECTORY ${ROOT} OUTPUT_VARIABLE file)
        message("${file}: ${directive}")
      endif()
    endforeach()
  endforeach()
  set(breaches ${breaches} PARENT_SCOPE)
  set(seen ${seen} PARENT_SCOPE)
endfunction()

file(GLOB_RECURSE public ${ROOT}/include/*.hpp)
check(FILES ${public}
  ALLOW ${std} "[<\"]shoal/.+[>\"]"
  DENY "<cerrno>"
  NEVER "define|undef|if|ifdef|ifndef|elif|else|endif")

file(GLOB_RECURSE core ${ROOT}/lib/core/*.hpp ${ROOT}/lib/core/*.cpp)
check(FILES ${core}
  ALLOW ${std} "\"core/.+\"" "\"shoal/detail/.+\""
  DENY "<cerrno>"
  NEVER "if|ifdef|ifndef" EXCEPT "SHOAL_MUTANT_")

file(GLOB_RECURSE os ${ROOT}/lib/os/*.hpp ${ROOT}/lib/os/*.cpp)
check(FILES ${os}
  ALLOW ${std} "<[a-z_0-9/]+\\.h>" "<boost/.+>" "\"os/.+\"" "\"shoal/detail/.+\"")

file(GLOB handles ${ROOT}/lib/*.hpp ${ROOT}/lib/*.cpp)
check(FILES ${handles}
  ALLOW ${std} "\"[a-z_]+\\.hpp\"" "\"core/.+\"" "\"os/.+\"" "\"shoal/.+\""
  DENY "<cerrno>"
  NEVER "if|ifdef|ifndef" EXCEPT "SHOAL_MUTANT_")

file(GLOB_RECURSE tools ${ROOT}/tools/*.hpp ${ROOT}/tools/*.cpp)
check(FILES ${tools}
  ALLOW ${std} "<[a-z_0-9/]+\\.h>" "<CLI/.+>" "<nlohmann/.+>" "\"[a-z_]+\\.hpp\"" "\"core/.+\""
    "\"os/.+\"" "\"shoal/.+\""
  NEVER "if|ifdef|ifndef")

file(GLOB_RECURSE demos ${ROOT}/demos/*.hpp ${ROOT}/demos/*.cpp)
check(FILES ${demos}
  ALLOW ${std} "<unistd\\.h>" "<getopt\\.h>" "<boost/process/.+>" "[<\"]shoal/[a-z_]+\\.hpp[>\"]"
    "\"[a-z_]+\\.hpp\"")

file(GLOB_RECURSE benchmarks ${ROOT}/benchmarks/*.hpp ${ROOT}/benchmarks/*.cpp)
check(FILES ${benchmarks} ALLOW ".*" DENY "\"(core|os|lib)/.*" "[<\"]shoal/detail/.*")

if(breaches OR NOT public)
  message(FATAL_ERROR "layers: ${breaches} breaches in ${seen} files")
endif()
message("layers: ${seen} files, every include points downwards")
