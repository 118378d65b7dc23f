// SPDX-License-Identifier: Apache-2.0
// What this kernel and these privileges allow. Asked of the kernel itself (its BTF, and programs of three
// instructions that it accepts or refuses), never concluded from a version number. Example:
//
//     auto facts = sensor::gather_facts();
//     if (!facts) return std::unexpected(facts.error());  // exit 4: a capability or BTF is missing
//     auto plan = sensor::make_plan(*facts, {});
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/result.h"

namespace netwatch::sensor {

struct KernelFacts {
    std::string release;
    std::string architecture;                // as uname -m says it
    std::map<std::string, int> tracepoints;  // tp_btf targets: name → number of arguments
    std::set<std::string> functions;         // those of the functions this program may hook that BTF knows
    std::set<std::string> iterators;         // "bpf_sk_storage_map", "task_file", "tcp"
    bool trampolines = false;                // fentry and fexit load and attach
    bool storage_in_tracing = false;         // socket storage in tp_btf programs (5.11)
    bool cookie_in_tracing = false;          // socket cookie in tp_btf programs (5.12)
    bool socket_from_file = false;           // bpf_sock_from_file (5.11)
    bool user_registers = false;             // bpf_task_pt_regs (5.15)
    bool call_registers = false;             // fexit of a system call can read its arguments
    bool syscall_tracepoints = false;        // their ids can be read, from tracefs mounted or not
    bool net_admin = false;                  // this process has CAP_NET_ADMIN
    bool sys_admin = false;                  // this process has CAP_SYS_ADMIN
    std::map<std::uint32_t, std::string> drop_reasons;  // of the running kernel, without their prefix
    std::string cgroup2_mount;                          // empty: none
    bool cgroup2_root = false;  // and it shows the root of the hierarchy, not a container's part of it
};

// Errors: no BTF, or a capability missing (exit code 4, with the command or kernel option that mends it).
// Loads and attaches programs of a few instructions and removes them again. `proc_root` replaces /proc.
[[nodiscard]] core::Result<KernelFacts> gather_facts(const std::string& proc_root = "/proc");

// The capabilities needed that the effective set `effective` (as in /proc/PID/status, CapEff) lacks.
// CAP_SYS_ADMIN stands for all of them, as it does in the kernel.
[[nodiscard]] std::vector<std::string> missing_capabilities(std::uint64_t effective);

// Errors: a capability is missing (exit code 4, named, with the command that mends it).
[[nodiscard]] core::Result<void> check_capabilities(const std::string& proc_root = "/proc");

// The mount point of cgroup v2 in the text of a mountinfo file; empty if there is none.
[[nodiscard]] std::string find_cgroup2(std::string_view mountinfo);

}  // namespace netwatch::sensor
