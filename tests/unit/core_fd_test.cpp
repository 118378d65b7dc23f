// SPDX-License-Identifier: Apache-2.0
#include "core/fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>
#include <utility>

namespace netwatch::core {
namespace {

int open_one() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }
bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(CoreFd, ClosesWhatItOwns) {
    const int raw = open_one();
    {
        const Fd fd(raw);
        EXPECT_TRUE(fd);
        EXPECT_EQ(fd.get(), raw);
        EXPECT_TRUE(is_open(raw));
    }
    EXPECT_FALSE(is_open(raw));
}

TEST(CoreFd, AMoveLeavesOneOwner) {
    Fd first(open_one());
    const int raw = first.get();
    Fd second(std::move(first));
    EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): what is left is part of the contract
    EXPECT_EQ(second.get(), raw);
    EXPECT_TRUE(is_open(raw));
}

TEST(CoreFd, AssignmentClosesWhatWasThere) {
    Fd first(open_one());
    Fd second(open_one());
    const int gone = first.get();
    const int kept = second.get();
    first = std::move(second);
    EXPECT_FALSE(is_open(gone));
    EXPECT_EQ(first.get(), kept);
    first.reset();
    EXPECT_FALSE(first);
    EXPECT_FALSE(is_open(kept));
}

TEST(CoreFd, NothingIsNothing) {
    Fd none;
    EXPECT_FALSE(none);
    none.reset();
    EXPECT_EQ(none.get(), -1);
}

}  // namespace
}  // namespace netwatch::core
