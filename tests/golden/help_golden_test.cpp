// SPDX-License-Identifier: Apache-2.0
// The help of every command against tests/golden/help.
#include <gtest/gtest.h>

#include <vector>

#include "cli/command.h"
#include "support/golden.h"

namespace netwatch::cli {
namespace {

std::string help(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "netwatch");
    arguments.push_back("--help");
    ::testing::internal::CaptureStdout();
    EXPECT_EQ(run(static_cast<int>(arguments.size()), arguments.data()), 0);
    return ::testing::internal::GetCapturedStdout();
}

TEST(Help, OfTheProgram) { support::expect_golden("tests/golden/help/netwatch.txt", help({})); }

TEST(Help, OfEachCommand) {
    for (const char* command :
         {"agent", "top", "why", "incidents", "check", "dump", "replay", "report", "export"}) {
        support::expect_golden(std::string("tests/golden/help/") + command + ".txt", help({command}));
    }
}

}  // namespace
}  // namespace netwatch::cli
