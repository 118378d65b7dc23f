// SPDX-License-Identifier: Apache-2.0
// A text compared with the file that a person has read and found right. NETWATCH_REGENERATE=1 writes the
// files anew: read the difference before it is committed.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace netwatch::support {

// `file` within the source tree.
inline void expect_golden(const std::string& file, const std::string& text) {
    const std::filesystem::path path = std::filesystem::path(NETWATCH_SOURCE_DIR) / file;
    if (std::getenv("NETWATCH_REGENERATE") != nullptr) {
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << text;
        return;
    }
    std::ifstream stream(path, std::ios::binary);
    std::stringstream expected;
    expected << stream.rdbuf();
    EXPECT_EQ(text, expected.str()) << file << " differs; if this text is better, run the test with "
                                    << "NETWATCH_REGENERATE=1 and read what changed";
}

}  // namespace netwatch::support
