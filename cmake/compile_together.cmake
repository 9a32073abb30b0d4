# shoal_compile_together(target ...)
#
# Their files, many and short, in a few large ones; each by itself where headers are not
# precompiled either, so that every file is seen to include what it needs.
function(shoal_compile_together)
  if(NOT CMAKE_DISABLE_PRECOMPILE_HEADERS)
    set_target_properties(${ARGV} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  endif()
endfunction()
