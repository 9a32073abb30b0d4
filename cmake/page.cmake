# shoal_page(<page.html> <folder>)
#
# Makes <folder>/page_template.hpp: that page as a string. {{style}} in it stands for page.css, which
# is what all pages have in common.
function(shoal_page page folder)
  set(common ${PROJECT_SOURCE_DIR}/cmake/page.css)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${page} ${common})
  file(READ ${common} style)
  file(READ ${page} page)
  string(REPLACE "{{style}}" "${style}" page "${page}")
  configure_file(${PROJECT_SOURCE_DIR}/cmake/page_template.hpp.in ${folder}/page_template.hpp @ONLY)
endfunction()
