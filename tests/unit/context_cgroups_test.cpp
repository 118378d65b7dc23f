// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <vector>

#include "context/cgroups.h"
#include "support/temporary_directory.h"

namespace netwatch::context {
namespace {

std::uint64_t inode(const std::filesystem::path& path) {
    struct stat status{};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_ino;
}

TEST(Cgroup2Mount, IsFoundWhereverItIs) {
    EXPECT_EQ(cgroup2_mount("30 22 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
                            "31 30 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
                            "40 30 0:37 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"),
              "/sys/fs/cgroup/unified");
    EXPECT_EQ(cgroup2_mount("40 30 0:37 / /a\\040b rw shared:1 master:2 - cgroup2 none rw\n"), "/a b");
    EXPECT_EQ(cgroup2_mount("30 22 0:27 / /sys rw - sysfs sysfs rw\n"), "");
    EXPECT_EQ(cgroup2_mount("cgroup2\n- cgroup2\n1 2 3 4 5 6 -\n"), "");
}

TEST(CgroupPaths, GivesThePathBelowTheMount) {
    const support::TemporaryDirectory root;
    root.write("proc/self/mountinfo", "40 30 0:37 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    const auto mount = root / "sys/fs/cgroup";
    std::filesystem::create_directories(mount / "system.slice/nginx.service");
    std::filesystem::create_directories(mount / "user.slice");
    CgroupPaths paths(root / "proc", root.path());
    const std::vector<std::uint64_t> ids{inode(mount / "system.slice/nginx.service"), inode(mount), 1};
    auto found = paths.resolve(ids);
    std::ranges::sort(found, {}, &CgroupPaths::Found::path);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].path, "/");
    EXPECT_EQ(found[1].path, "/system.slice/nginx.service");
    EXPECT_EQ(found[1].id, ids[0]);
}

TEST(CgroupPaths, KnowsNothingWithoutAMount) {
    const support::TemporaryDirectory root;
    CgroupPaths paths(root / "proc", root.path());
    const std::vector<std::uint64_t> ids{1, 2, 3};
    EXPECT_TRUE(paths.resolve(ids).empty());
}

TEST(ShortenLeft, KeepsTheEndAndWholeCharacters) {
    EXPECT_EQ(shorten_left("/a/b", 10), "/a/b");
    EXPECT_EQ(shorten_left("/abcdefghij", 8), "…fghij");
    EXPECT_EQ(shorten_left("/äöüäöüäöü", 10), "…äöü") << "seven bytes are left: three characters of two";
}

}  // namespace
}  // namespace netwatch::context
