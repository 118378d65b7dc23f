// SPDX-License-Identifier: Apache-2.0
// The page of a report without its data: present/report/page.html with its style and its scripts in place.
// Made by tools/cmake/NetwatchPage.cmake.
#pragma once

#include <string_view>

namespace netwatch::present {

// Holds {{PLAIN_TEXT}} and {{DATA}} once each.
extern const std::string_view report_page;

}  // namespace netwatch::present
