# SPDX-License-Identifier: Apache-2.0
# Makes one C++ source of a page's parts, with their hashes for its Content-Security-Policy:
#
#   cmake -DPAGE=page.html -DSTYLES=a.css,b.css -DSCRIPTS=a.js,b.js -DOUTPUT=page.cpp -P NetwatchPage.cmake
#
# {{STYLE}}, {{SCRIPT}}, {{STYLE_HASH}} and {{SCRIPT_HASH}} in the page are replaced.

function(join_files result list)
    string(REPLACE "," ";" files "${list}")
    set(text "")
    foreach(file IN LISTS files)
        file(READ "${file}" part)
        string(APPEND text "${part}")
    endforeach()
    set(${result} "${text}" PARENT_SCOPE)
endfunction()

# The base64 of a SHA-256: three hexadecimal digits are two of base64.
function(base64_of_sha256 result text)
    set(digits "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    string(SHA256 hex "${text}")
    string(APPEND hex "00")
    set(base64 "")
    foreach(at RANGE 0 63 3)
        string(SUBSTRING "${hex}" ${at} 3 three)
        math(EXPR high "0x${three} >> 6")
        math(EXPR low "0x${three} & 63")
        foreach(index IN ITEMS ${high} ${low})
            string(SUBSTRING "${digits}" ${index} 1 digit)
            string(APPEND base64 "${digit}")
        endforeach()
    endforeach()
    string(SUBSTRING "${base64}" 0 43 base64)
    set(${result} "${base64}=" PARENT_SCOPE)
endfunction()

join_files(style "${STYLES}")
join_files(script "${SCRIPTS}")
base64_of_sha256(style_hash "${style}")
base64_of_sha256(script_hash "${script}")
file(READ "${PAGE}" page)
string(REPLACE "{{STYLE_HASH}}" "${style_hash}" page "${page}")
string(REPLACE "{{SCRIPT_HASH}}" "${script_hash}" page "${page}")
string(REPLACE "{{STYLE}}" "${style}" page "${page}")
string(REPLACE "{{SCRIPT}}" "${script}" page "${page}")
file(WRITE "${OUTPUT}"
    "#include \"present/report_page.h\"\n\n"
    "namespace netwatch::present {\n\n"
    "const std::string_view report_page = R\"netwatch(${page})netwatch\";\n\n"
    "}  // namespace netwatch::present\n")
