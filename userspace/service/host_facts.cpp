// SPDX-License-Identifier: Apache-2.0
#include "service/host_facts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>

#include "core/fd.h"
#include "model/record.h"

namespace netwatch::service {
namespace {

std::int64_t now_of(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<std::int64_t>(now.tv_sec) * static_cast<std::int64_t>(core::ns_per_s) + now.tv_nsec;
}

// HZ is not told to userspace; the tick of the coarse clock is one jiffy.
std::uint32_t kernel_hz() {
    timespec tick{};
    if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) != 0 || tick.tv_nsec <= 0) return 0;
    const auto ns = static_cast<std::uint64_t>(tick.tv_nsec);
    return static_cast<std::uint32_t>((core::ns_per_s + ns / 2) / ns);
}

}  // namespace

core::BootNs boot_now() { return static_cast<core::BootNs>(now_of(CLOCK_BOOTTIME)); }

core::UtcNs utc_now() { return {now_of(CLOCK_REALTIME)}; }

netwatch_host host_record(std::uint32_t observed_netns_count, const std::filesystem::path& proc) {
    const core::BootNs now = boot_now();
    auto host = model::make_record<netwatch_host>(now);
    utsname names{};
    ::uname(&names);
    std::string boot_id;
    std::getline(std::ifstream(proc / "sys/kernel/random/boot_id"), boot_id);
    model::set_text(host.boot_id, boot_id);
    model::set_text(host.release, names.release);
    model::set_text(host.hostname, names.nodename);
    model::set_text(host.agent_version, NETWATCH_VERSION);
    host.hz = kernel_hz();
    host.own_netns = netns_inode(proc / "self/ns/net").value_or(0);
    host.observed_netns_count = observed_netns_count;
    host.abi_version = NETWATCH_ABI_VERSION;
    host.started_ns = now;
    return host;
}

netwatch_region region_record(const model::Region& region, core::BootNs at) {
    auto record = model::make_record<netwatch_region>(at);
    std::ranges::copy(region.network.network.bytes(), record.network);
    record.bits = region.network.bits;
    model::set_text(record.name, region.name);
    return record;
}

netwatch_clock clock_record(core::BootNs at) {
    auto clock = model::make_record<netwatch_clock>(at);
    // Both clocks are read now; `at` lies at most a walk's length before it. A pause between the two would
    // look like a step of the clock.
    core::BootNs before = 0;
    core::BootNs after = 0;
    for (int tries = 0; tries < 3 && (tries == 0 || after - before > core::ns_per_ms); ++tries) {
        before = boot_now();
        clock.realtime_ns = utc_now().ns - static_cast<std::int64_t>(before - at);
        after = boot_now();
    }
    return clock;
}

core::Result<std::uint32_t> netns_inode(const std::filesystem::path& path) {
    const core::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd) {
        return core::usage_error(
            fmt::format("cannot read the namespace {}: {}", path.string(), std::strerror(errno)),
            "give a path such as /run/netns/NAME or /proc/PID/ns/net");
    }
    struct stat status{};
    if (::ioctl(fd.get(), NS_GET_NSTYPE) != CLONE_NEWNET || ::fstat(fd.get(), &status) != 0) {
        return core::usage_error(fmt::format("{} is not a network namespace", path.string()),
                                 "give a path such as /run/netns/NAME or /proc/PID/ns/net");
    }
    return static_cast<std::uint32_t>(status.st_ino);
}

}  // namespace netwatch::service
