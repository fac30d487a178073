# `cpack -G DEB` in the build folder makes svnet_*.deb and libsvnet-dev_*.deb.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME svnet)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "${SVNET_MAINTAINER}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
  GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_COMPONENTS_ALL svnet dev)
# Each component describes itself, with its first line.
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_SVNET_PACKAGE_NAME svnet)
set(CPACK_DEBIAN_SVNET_PACKAGE_SECTION net)
set(CPACK_DEBIAN_SVNET_PACKAGE_SHLIBDEPS ON)
# purge removes what svnetd left in the kernel, when svnetd is gone.
set(CPACK_DEBIAN_SVNET_PACKAGE_DEPENDS "systemd (>= 252), iproute2, nftables, procps")
set(CPACK_DEBIAN_SVNET_PACKAGE_CONTROL_EXTRA
  ${CMAKE_CURRENT_LIST_DIR}/postinst ${CMAKE_CURRENT_LIST_DIR}/prerm
  ${CMAKE_CURRENT_LIST_DIR}/postrm ${CMAKE_CURRENT_LIST_DIR}/conffiles)
set(CPACK_COMPONENT_SVNET_DESCRIPTION
"TAP devices, addresses and NAT for unprivileged VM supervisors
svnetd owns a bridge, the addresses behind it, TAP devices and NAT. Supervisors
of Firecracker, Cloud Hypervisor, QEMU and others ask it over gRPC on a Unix
socket, as ordinary users, for a TAP that their VMM can open, an address and a
MAC. svnetctl is the same for people and scripts.")

set(CPACK_DEBIAN_DEV_PACKAGE_NAME libsvnet-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "libgrpc++-dev, libprotobuf-dev")
set(CPACK_COMPONENT_DEV_DESCRIPTION
"clients of svnetd in C++: messages and stubs
The messages of svnetd's contract and the client side of its service, as static
libraries, with their headers and a CMake package: find_package(svnet).")

include(CPack)
