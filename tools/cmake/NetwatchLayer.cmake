# SPDX-License-Identifier: Apache-2.0

# netwatch_layer(NAME [DEPENDS layer...] [LINKS target...] [EXCEPT file...])
#
# The library netwatch::NAME of every .cpp in the current directory. DEPENDS are the layers whose headers this one
# may include (tools/layers checks the includes themselves); LINKS are outside libraries that stay private.
# A layer of headers alone is an INTERFACE library.
function(netwatch_layer name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "DEPENDS;LINKS;EXCEPT")
    file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cpp")
    foreach(file IN LISTS arg_EXCEPT)
        list(REMOVE_ITEM sources "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
    endforeach()
    list(TRANSFORM arg_DEPENDS PREPEND "netwatch::" OUTPUT_VARIABLE layers)

    set(target "netwatch_${name}")
    if(sources)
        add_library(${target} STATIC ${sources})
        target_link_libraries(${target} PUBLIC ${layers} PRIVATE netwatch_build ${arg_LINKS})
    else()
        add_library(${target} INTERFACE)
        target_link_libraries(${target} INTERFACE ${layers})
    endif()
    add_library(netwatch::${name} ALIAS ${target})
    set_property(GLOBAL APPEND PROPERTY NETWATCH_LAYERS netwatch::${name})
endfunction()
