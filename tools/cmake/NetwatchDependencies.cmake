# SPDX-License-Identifier: Apache-2.0
# Libraries that the layers link. tools/deps installs every one of them.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(CLI11 REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(ftxui 5 CONFIG)
if(NOT ftxui_FOUND)
    message(FATAL_ERROR "FTXUI 5 is not there: `sudo tools/deps` builds and installs it")
endif()
find_path(PROTOZERO_INCLUDE_DIR protozero/pbf_builder.hpp REQUIRED) # headers alone
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(httplib REQUIRED IMPORTED_TARGET cpp-httplib)
pkg_check_modules(mnl REQUIRED IMPORTED_TARGET libmnl)
pkg_check_modules(netfilter_conntrack REQUIRED IMPORTED_TARGET libnetfilter_conntrack)
pkg_check_modules(cap_ng REQUIRED IMPORTED_TARGET libcap-ng)
pkg_check_modules(ldns REQUIRED IMPORTED_TARGET ldns)
pkg_check_modules(openssl REQUIRED IMPORTED_TARGET openssl)

if(NETWATCH_WITH_BPF)
    pkg_check_modules(libbpf REQUIRED IMPORTED_TARGET libbpf>=1.1)
    find_program(NETWATCH_BPF_CLANG NAMES clang clang-14 clang-19 REQUIRED)
    find_program(NETWATCH_BPFTOOL NAMES bpftool PATHS /usr/sbin /sbin REQUIRED)
endif()
