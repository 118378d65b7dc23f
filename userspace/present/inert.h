// SPDX-License-Identifier: Apache-2.0
// Outside text made harmless, and the width of text in terminal cells. Everything that a stranger could have
// chosen (process names, host names, paths, certificates) passes inert() before it is shown. Example:
//
//     inert("evil\x1b[2J") == "evil\\x1b[2J"
//
// Pure; any thread; never throws on any bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace netwatch::present {

// Valid UTF-8 without control characters, line breaks, bidirectional overrides, invisible or private
// characters; what was there is shown as \xNN (bytes that are no UTF-8, control characters) or \u{NNNN}.
// inert(inert(x)) == inert(x).
[[nodiscard]] std::string inert(std::string_view text);

// The same text with bytes that are no UTF-8 shown as \xNN; everything else untouched (for JSON, which
// escapes).
[[nodiscard]] std::string valid_utf8(std::string_view text);

// Every character outside ASCII replaced by one or more that are inside and take as many cells: symbols of
// this program by their likeness, others by '?'. Takes text that is valid UTF-8.
[[nodiscard]] std::string to_ascii(std::string_view text);

// Cells that valid text takes on a terminal: East Asian wide characters two, combining ones none.
[[nodiscard]] std::size_t cell_width(std::string_view text);

// Cut to at most `cells`, the last one then "…".
[[nodiscard]] std::string cut(std::string_view text, std::size_t cells);

// Cut or filled with spaces to exactly `cells`.
[[nodiscard]] std::string pad_right(std::string_view text, std::size_t cells);
[[nodiscard]] std::string pad_left(std::string_view text, std::size_t cells);

}  // namespace netwatch::present
