# SPDX-License-Identifier: Apache-2.0
# netwatch_build: what every target of ours is compiled with. Linked privately, so nothing leaks to users.

include(CheckPIESupported)
check_pie_supported()

# Presets that compile a file alike share its object: sources are named by absolute paths, so the build directory,
# which ccache would hash for the debug information, does not matter.
find_program(NETWATCH_CCACHE ccache)
if(NETWATCH_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env CCACHE_NOHASHDIR=1 "${NETWATCH_CCACHE}")
endif()

add_library(netwatch_build INTERFACE)
target_include_directories(netwatch_build INTERFACE "${PROJECT_SOURCE_DIR}/userspace" "${PROJECT_SOURCE_DIR}/include")
target_compile_definitions(netwatch_build INTERFACE
    NETWATCH_VERSION="${PROJECT_VERSION}"
    $<$<NOT:$<CONFIG:Debug>>:_GLIBCXX_ASSERTIONS>)
target_compile_options(netwatch_build INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-align -Wcast-qual
    -Wformat=2 -Wimplicit-fallthrough -Wundef -Wunused -Wextra-semi -Wnon-virtual-dtor -Wold-style-cast
    -Woverloaded-virtual
    $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-branches -Wduplicated-cond -Wlogical-op>
    $<$<BOOL:${NETWATCH_WERROR}>:-Werror>
    -fstack-protector-strong)

if(NETWATCH_FUZZ)
    if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
        message(FATAL_ERROR "NETWATCH_FUZZ needs libFuzzer: configure with -DCMAKE_CXX_COMPILER=clang++-19")
    endif()
    add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined)
    add_link_options(-fsanitize=address,undefined)
elseif(NETWATCH_SANITIZE)
    add_compile_options(-fsanitize=${NETWATCH_SANITIZE} -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${NETWATCH_SANITIZE})
    if(NETWATCH_SANITIZE MATCHES "undefined")
        add_compile_options(-fno-sanitize-recover=undefined)
    endif()
elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    target_compile_definitions(netwatch_build INTERFACE _FORTIFY_SOURCE=2)
endif()
