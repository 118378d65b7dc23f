// SPDX-License-Identifier: Apache-2.0
#include "present/inert.h"

#include <gtest/gtest.h>

#include "support/views.h"

namespace netwatch::present {
namespace {

TEST(PresentInert, LeavesOrdinaryTextAlone) {
    for (const char* text : {"", "checkout[2214]", "db.internal:5432", "Grüße, 世界", "a\\x1b", "ё"}) {
        EXPECT_EQ(inert(text), text);
    }
}

TEST(PresentInert, ShowsWhatWouldActOnATerminal) {
    EXPECT_EQ(inert("evil\x1b[2J"), "evil\\x1b[2J");
    EXPECT_EQ(inert("a\r\n\tb\x7f"), "a\\x0d\\x0a\\x09b\\x7f");
    EXPECT_EQ(inert("\u009b31m"), "\\x9b31m");
    EXPECT_EQ(inert("abc\u202etxt.exe"), "abc\\u{202e}txt.exe");
    EXPECT_EQ(inert("\u2066a\u2069\u200b\ufeff\u2028"), "\\u{2066}a\\u{2069}\\u{200b}\\u{feff}\\u{2028}");
    EXPECT_EQ(inert(std::string_view("a\0b", 3)), "a\\x00b");
}

TEST(PresentInert, ShowsBytesThatAreNoUtf8) {
    EXPECT_EQ(inert("\xff\xfe"), "\\xff\\xfe");
    EXPECT_EQ(inert("\xc3"), "\\xc3");                             // cut short
    EXPECT_EQ(inert("\xc0\xaf"), "\\xc0\\xaf");                    // overlong
    EXPECT_EQ(inert("\xe0\x80\x9b"), "\\xe0\\x80\\x9b");           // overlong control
    EXPECT_EQ(inert("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // surrogate
    EXPECT_EQ(inert("\xf5\x80\x80\x80"), "\\xf5\\x80\\x80\\x80");  // above 10FFFF
}

TEST(PresentInert, IsItsOwnFixedPoint) {
    const std::string once = inert(support::hostile_text);
    EXPECT_EQ(inert(once), once);
    EXPECT_EQ(valid_utf8(once), once);
    std::string all;
    for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
    for (const char c : inert(all)) EXPECT_TRUE(c >= 0x20 && c < 0x7f);
}

TEST(PresentInert, CountsCells) {
    EXPECT_EQ(cell_width("abc"), 3U);
    EXPECT_EQ(cell_width("é–✖…"), 4U);
    EXPECT_EQ(cell_width("世界"), 4U);
    EXPECT_EQ(cell_width("e\u0301"), 1U);
}

TEST(PresentInert, CutsAndPadsByCells) {
    EXPECT_EQ(cut("payments.internal", 8), "payment…");
    EXPECT_EQ(cut("世界世界", 6), "世界…");
    EXPECT_EQ(cut("abc", 0), "");
    EXPECT_EQ(pad_right("世", 4), "世  ");
    EXPECT_EQ(pad_left("7", 3), "  7");
    for (std::size_t cells = 0; cells < 12; ++cells) {
        EXPECT_EQ(cell_width(pad_right("世a界b…cdefgh", cells)), cells);
    }
}

TEST(PresentInert, AsciiKeepsTheCells) {
    const std::string text = "✖ ▲ ✔ · – … │ └ 世 é ▁█";
    EXPECT_EQ(to_ascii(text), "X ! + - - ~ | ` ?? ? _#");
    EXPECT_EQ(cell_width(to_ascii(text)), cell_width(text));
}

}  // namespace
}  // namespace netwatch::present
