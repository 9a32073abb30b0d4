# shoal_warnings: what our own sources are compiled with. Private to this build, never exported.
add_library(shoal_warnings INTERFACE)
target_compile_options(shoal_warnings INTERFACE
  -Wall -Wextra -Wpedantic
  -Wconversion -Wno-sign-conversion -Wdouble-promotion
  -Wshadow -Wold-style-cast -Wcast-align -Wcast-qual -Wundef
  -Wnon-virtual-dtor -Woverloaded-virtual -Wextra-semi
  -Wzero-as-null-pointer-constant -Wimplicit-fallthrough -Wformat=2
  $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond -Wduplicated-branches -Wlogical-op -Wno-psabi>
  $<$<BOOL:${SHOAL_WERROR}>:-Werror>)
