# The installed package: find_package(shoal) and pkg-config shoal, both relocatable.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/shoal)

install(TARGETS shoal EXPORT shoal-targets FILE_SET HEADERS)
install(EXPORT shoal-targets NAMESPACE shoal:: DESTINATION ${package_dir})
configure_package_config_file(cmake/shoal-config.cmake.in shoal-config.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(shoal-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${CMAKE_CURRENT_BINARY_DIR}/shoal-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/shoal-config-version.cmake
  DESTINATION ${package_dir})

# Appending an absolute directory replaces the prefix, as it should.
set(pc_prefix ${CMAKE_INSTALL_PREFIX})
cmake_path(RELATIVE_PATH pc_prefix BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig)
set(pc_libdir "\${prefix}")
cmake_path(APPEND pc_libdir ${CMAKE_INSTALL_LIBDIR})
set(pc_includedir "\${prefix}")
cmake_path(APPEND pc_includedir ${CMAKE_INSTALL_INCLUDEDIR})
configure_file(cmake/shoal.pc.in shoal.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/shoal.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# The program. With a shared library, it finds the one that it was installed with.
if(SHOAL_TOOLS)
  cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_LIBDIR BASE_DIRECTORY ${CMAKE_INSTALL_FULL_BINDIR}
    OUTPUT_VARIABLE libdir)
  set_target_properties(shoal_program PROPERTIES INSTALL_RPATH "$ORIGIN/${libdir}")
  install(TARGETS shoal_program)
  install(FILES tools/shoal.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES tools/shoal.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
    RENAME shoal)
endif()
