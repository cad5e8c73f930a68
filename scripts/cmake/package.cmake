# `cpack -G DEB` in the build tree makes a Debian package of what `cmake --install` installs: osmem with its headers, pkg-config file and
# CMake package, and bench with its worker, modules, manual and completions.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME osmem)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "the osmem project <osmem@localhost>") # a field that a package must have
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "memory allocator, and a workbench that compares allocators")
set(CPACK_PACKAGE_DESCRIPTION
    "osmem replaces malloc by LD_PRELOAD or by linking. bench measures which memory allocator suits which program, and by how much.")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON) # by dpkg-shlibdeps, of dpkg-dev
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_LIBRARY_OUTPUT_DIRECTORY})
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "libjemalloc2, libmimalloc2.0, libtcmalloc-minimal4") # to compare with
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS OFF)
include(CPack)
