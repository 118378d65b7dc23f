// SPDX-License-Identifier: Apache-2.0
#include "sensor/facts.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <array>
#include <charconv>
#include <fstream>
#include <optional>
#include <span>
#include <sstream>

#include "core/fd.h"
#include "sensor/kernel_btf.h"
#include "sensor/tracefs.h"

namespace netwatch::sensor {
namespace {

struct Capability {
    unsigned bit;
    const char* name;
};
constexpr auto needed_capabilities =
    std::to_array<Capability>({{CAP_BPF, "CAP_BPF"}, {CAP_PERFMON, "CAP_PERFMON"}});

constexpr auto tracepoint_names =
    std::to_array<const char*>({"inet_sock_set_state", "tcp_retransmit_skb", "tcp_retransmit_synack",
                                "tcp_receive_reset", "tcp_send_reset", "inet_sk_error_report", "kfree_skb",
                                "icmp_send", "neigh_update", "neigh_timer_handler", "tcp_probe"});

constexpr auto function_names = std::to_array<const char*>(
    {"inet_stream_connect", "inet_dgram_connect", "__x64_sys_socket", "__x64_sys_accept", "__x64_sys_accept4",
     "__arm64_sys_socket", "__arm64_sys_accept", "__arm64_sys_accept4", "tcp_finish_connect", "tcp_reset"});

constexpr auto iterator_names = std::to_array<const char*>({"bpf_sk_storage_map", "task_file", "tcp"});

std::optional<std::string> read_file(const std::string& path) {
    std::ifstream file(path);
    if (!file) return std::nullopt;
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::optional<std::uint64_t> effective_capabilities(const std::string& proc_root) {
    const auto status = read_file(proc_root + "/self/status");
    if (!status) return std::nullopt;
    constexpr std::string_view key = "CapEff:\t";
    const auto at = status->find(key);
    if (at == std::string::npos) return std::nullopt;
    std::uint64_t mask = 0;
    const char* first = status->data() + at + key.size();
    if (std::from_chars(first, status->data() + status->size(), mask, 16).ec != std::errc{})
        return std::nullopt;
    return mask;
}

bool has(std::uint64_t effective, unsigned capability) { return (effective >> capability & 1) != 0; }

core::Fd load_tracing(bpf_attach_type attach_type, std::uint32_t attach_id,
                      std::span<const bpf_insn> instructions) {
    LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = attach_type, .attach_btf_id = attach_id);
    return core::Fd(bpf_prog_load(BPF_PROG_TYPE_TRACING, "netwatch_probe", "GPL", instructions.data(),
                                  instructions.size(), &options));
}

constexpr bpf_insn return_zero = {BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0};
constexpr bpf_insn leave = {BPF_JMP | BPF_EXIT, 0, 0, 0, 0};

constexpr bpf_insn call(bpf_func_id helper) { return {BPF_JMP | BPF_CALL, 0, 0, 0, helper}; }
template <unsigned Register>
constexpr bpf_insn set(std::int32_t value) {
    return {BPF_ALU64 | BPF_MOV | BPF_K, Register, 0, 0, value};
}
// The first argument of the tracepoint; register 1 holds where the arguments lie.
template <unsigned Register>
constexpr bpf_insn load_first_argument() {
    return {BPF_LDX | BPF_MEM | BPF_DW, Register, 1, 0, 0};
}

// Some kernels refuse trampolines at load, some only when one is attached.
bool can_trampoline(const KernelBtf& types) {
    const std::uint32_t id = types.function_id("inet_stream_connect");
    if (id == 0) return false;
    const auto instructions = std::to_array<bpf_insn>({return_zero, leave});
    const core::Fd program = load_tracing(BPF_TRACE_FEXIT, id, instructions);
    if (!program) return false;
    const core::Fd link(bpf_raw_tracepoint_open(nullptr, program.get()));
    return static_cast<bool>(link);
}

core::Fd make_storage_map() {
    btf* types = btf__new_empty();
    if (!types) return {};
    const int type = btf__add_int(types, "int", 4, BTF_INT_SIGNED);
    core::Fd map;
    if (type > 0 && btf__load_into_kernel(types) == 0) {
        LIBBPF_OPTS(bpf_map_create_opts, options, .btf_fd = static_cast<__u32>(btf__fd(types)),
                    .btf_key_type_id = static_cast<__u32>(type),
                    .btf_value_type_id = static_cast<__u32>(type),
                    .map_flags = BPF_F_NO_PREALLOC | BPF_F_CLONE);
        map = core::Fd(bpf_map_create(BPF_MAP_TYPE_SK_STORAGE, "netwatch_probe", 4, 4, 0, &options));
    }
    btf__free(types);
    return map;
}

bool can_store_in_tracing(std::uint32_t tracepoint_type) {
    const core::Fd map = make_storage_map();
    if (!map) return false;
    const auto instructions = std::to_array<bpf_insn>({
        load_first_argument<2>(),
        // NOLINTNEXTLINE(misc-redundant-expression): LD and IMM are both 0
        {BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map.get()},
        {0, 0, 0, 0, 0},
        set<3>(0),
        set<4>(0),
        call(BPF_FUNC_sk_storage_get),
        return_zero,
        leave,
    });
    return static_cast<bool>(load_tracing(BPF_TRACE_RAW_TP, tracepoint_type, instructions));
}

bool can_read_cookie_in_tracing(std::uint32_t tracepoint_type) {
    const auto instructions = std::to_array<bpf_insn>(
        {load_first_argument<1>(), call(BPF_FUNC_get_socket_cookie), return_zero, leave});
    return static_cast<bool>(load_tracing(BPF_TRACE_RAW_TP, tracepoint_type, instructions));
}

// The root of kernfs is its first inode.
bool is_cgroup_root(const std::string& mount) {
    struct stat status{};
    return !mount.empty() && ::stat(mount.c_str(), &status) == 0 && status.st_ino == 1;
}

void read_types(KernelFacts& facts, const KernelBtf& types) {
    for (const char* name : tracepoint_names)
        if (const int arguments = types.tracepoint_arguments(name); arguments >= 0)
            facts.tracepoints[name] = arguments;
    for (const char* name : function_names)
        if (types.function_id(name)) facts.functions.insert(name);
    for (const char* name : iterator_names)
        if (types.function_id(std::string("bpf_iter_") + name)) facts.iterators.insert(name);
    const auto helpers = types.enum_values("bpf_func_id");
    facts.socket_from_file = helpers.contains("BPF_FUNC_sock_from_file");
    facts.user_registers = helpers.contains("BPF_FUNC_task_pt_regs");
    facts.call_registers =
        types.takes_struct("__x64_sys_accept4") || types.takes_struct("__arm64_sys_accept4");
    constexpr std::string_view prefix = "SKB_DROP_REASON_";
    for (const auto& [name, value] : types.enum_values("skb_drop_reason"))
        if (name.starts_with(prefix)) facts.drop_reasons.emplace(value, name.substr(prefix.size()));
}

}  // namespace

std::vector<std::string> missing_capabilities(std::uint64_t effective) {
    std::vector<std::string> missing;
    if (has(effective, CAP_SYS_ADMIN)) return missing;
    for (const auto& capability : needed_capabilities)
        if (!has(effective, capability.bit)) missing.emplace_back(capability.name);
    return missing;
}

// Fields: id, parent, device, root, mount point, options, optional fields…, "-", type, source, super options
// (proc(5)).
std::string find_cgroup2(std::string_view mountinfo) {
    std::istringstream lines{std::string(mountinfo)};
    for (std::string line; std::getline(lines, line);) {
        const auto separator = line.find(" - ");
        if (separator == std::string::npos || !line.substr(separator + 3).starts_with("cgroup2 ")) continue;
        std::istringstream fields(line);
        std::string id, parent, device, root, mount_point;
        fields >> id >> parent >> device >> root >> mount_point;
        return mount_point;
    }
    return {};
}

core::Result<void> check_capabilities(const std::string& proc_root) {
    const auto effective = effective_capabilities(proc_root);
    if (!effective) return core::fail("cannot read the capabilities from " + proc_root + "/self/status");
    const auto missing = missing_capabilities(*effective);
    if (missing.empty()) return {};
    return core::fail(
        fmt::format("{} missing", fmt::join(missing, " and ")),
        "run as root, or once: sudo setcap cap_bpf,cap_perfmon,cap_net_admin+ep \"$(command -v netwatch)\"",
        core::ExitCode::privilege_missing);
}

core::Result<KernelFacts> gather_facts(const std::string& proc_root) {
    if (auto allowed = check_capabilities(proc_root); !allowed) return std::unexpected(allowed.error());
    auto types = KernelBtf::load();
    if (!types) return std::unexpected(types.error());

    KernelFacts facts;
    if (utsname name{}; ::uname(&name) == 0) {
        facts.release = name.release;
        facts.architecture = name.machine;
    }
    read_types(facts, *types);
    facts.trampolines = can_trampoline(*types);
    if (const std::uint32_t id = types->tracepoint_type_id("inet_sock_set_state"); id != 0) {
        facts.storage_in_tracing = can_store_in_tracing(id);
        facts.cookie_in_tracing = can_read_cookie_in_tracing(id);
    }
    facts.syscall_tracepoints = tracepoint_id("syscalls/sys_exit_connect").has_value();
    const std::uint64_t effective = effective_capabilities(proc_root).value_or(0);
    facts.net_admin = has(effective, CAP_NET_ADMIN);
    facts.sys_admin = has(effective, CAP_SYS_ADMIN);
    facts.cgroup2_mount = find_cgroup2(read_file(proc_root + "/self/mountinfo").value_or(""));
    facts.cgroup2_root = is_cgroup_root(facts.cgroup2_mount);
    return facts;
}

}  // namespace netwatch::sensor
