# shoal_sanitizers: the library and everything built here with it is instrumented alike.
set(SHOAL_SANITIZE "" CACHE STRING "Sanitizers: address,undefined or thread; empty for none.")
add_library(shoal_sanitizers INTERFACE)
if(SHOAL_SANITIZE)
  target_compile_options(shoal_sanitizers INTERFACE
    -fsanitize=${SHOAL_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(shoal_sanitizers INTERFACE -fsanitize=${SHOAL_SANITIZE})
endif()
