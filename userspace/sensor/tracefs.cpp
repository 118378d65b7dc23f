// SPDX-License-Identifier: Apache-2.0
#include "sensor/tracefs.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "core/fd.h"

namespace netwatch::sensor {
namespace {

core::Fd detached_tracefs() {
    const core::Fd context(::fsopen("tracefs", FSOPEN_CLOEXEC));
    if (!context || ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) return {};
    return core::Fd(::fsmount(context.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY));
}

core::Fd open_id(const std::string& name) {
    const std::string path = "events/" + name + "/id";
    for (const char* mount : {"/sys/kernel/tracing/", "/sys/kernel/debug/tracing/"})
        if (core::Fd file(::open((mount + path).c_str(), O_RDONLY | O_CLOEXEC)); file) return file;
    const core::Fd root = detached_tracefs();
    if (!root) return {};
    return core::Fd(::openat(root.get(), path.c_str(), O_RDONLY | O_CLOEXEC));
}

}  // namespace

core::Result<std::uint64_t> tracepoint_id(const std::string& name) {
    const core::Fd file = open_id(name);
    if (!file) return core::fail("tracepoint " + name + ": " + std::strerror(errno));
    std::array<char, 32> text{};
    const ssize_t length = ::read(file.get(), text.data(), text.size());
    std::uint64_t id = 0;
    if (length <= 0 || std::from_chars(text.data(), text.data() + length, id).ec != std::errc{})
        return core::fail("tracepoint " + name + ": its number cannot be read");
    return id;
}

}  // namespace netwatch::sensor
