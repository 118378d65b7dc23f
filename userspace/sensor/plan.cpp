// SPDX-License-Identifier: Apache-2.0
#include "sensor/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>

namespace netwatch::sensor {
namespace {

// Why the kernel does not have what a hook needs; nothing if it has.
using Obstacle = std::optional<std::string>;
using Requirement = std::function<Obstacle(const KernelFacts&)>;

struct Candidate {
    std::string hook;
    std::vector<std::string> programs;
    Requirement requirement;
    std::string lost;  // what even this hook does not see
};

struct Signal {
    std::string name;
    std::vector<Candidate> candidates;  // best first
    std::string lost;                   // with none of them
    bool vital = false;
};

Obstacle lacks_tracepoint(const KernelFacts& facts, const std::string& name, int least_arguments) {
    const auto found = facts.tracepoints.find(name);
    if (found == facts.tracepoints.end()) return "this kernel has no tracepoint " + name;
    if (found->second < least_arguments)
        return fmt::format("tracepoint {} has {} arguments here, not {}", name, found->second,
                           least_arguments);
    return std::nullopt;
}

Requirement tracepoint(std::string_view name, int least_arguments = 0) {
    return [name = std::string(name), least_arguments](const KernelFacts& facts) {
        return lacks_tracepoint(facts, name, least_arguments);
    };
}

Requirement function_exit(std::vector<std::string> names) {
    return [names = std::move(names)](const KernelFacts& facts) -> Obstacle {
        if (!facts.trampolines) return "this kernel refuses fexit programs";
        for (const auto& name : names)
            if (!facts.functions.contains(name)) return "this kernel's BTF has no function " + name;
        return std::nullopt;
    };
}

Requirement function_exit_with_arguments(std::vector<std::string> names) {
    return [exit = function_exit(std::move(names))](const KernelFacts& facts) -> Obstacle {
        if (const auto obstacle = exit(facts)) return obstacle;
        if (!facts.call_registers) return "system calls' arguments are not in this kernel's BTF";
        return std::nullopt;
    };
}

Obstacle needs_syscall_exit(const KernelFacts& facts) {
    if (facts.syscall_tracepoints) return std::nullopt;
    if (!facts.sys_admin) return "tracefs cannot be read without CAP_SYS_ADMIN";
    return "this kernel has no system call tracepoints (CONFIG_FTRACE_SYSCALLS)";
}

// connect() and accept() find their socket through the saved user registers.
Obstacle needs_syscall_exit_with_registers(const KernelFacts& facts) {
    if (const auto obstacle = needs_syscall_exit(facts)) return obstacle;
    if (!facts.user_registers) return "this kernel has no bpf_task_pt_regs";
    return std::nullopt;
}

Obstacle needs_storage_walk(const KernelFacts& facts) {
    if (!facts.storage_in_tracing) return "this kernel refuses socket storage in tracing programs";
    if (!facts.iterators.contains("bpf_sk_storage_map"))
        return "this kernel has no iterator over socket storage";
    return std::nullopt;
}

Obstacle needs_tagging(const KernelFacts& facts) {
    if (!facts.storage_in_tracing) return "this kernel refuses socket storage in tracing programs";
    if (!facts.iterators.contains("task_file")) return "this kernel has no iterator over open files";
    if (!facts.socket_from_file) return "this kernel has no bpf_sock_from_file";
    return std::nullopt;
}

Obstacle needs_tcp_walk(const KernelFacts& facts) {
    if (!facts.iterators.contains("tcp")) return "this kernel has no iterator over TCP sockets";
    return std::nullopt;
}

Obstacle needs_any_cgroup(const KernelFacts& facts) {
    if (facts.cgroup2_mount.empty()) return "no cgroup v2 is mounted";
    if (!facts.net_admin) return "CAP_NET_ADMIN is missing";
    return std::nullopt;
}

Obstacle needs_cgroup(const KernelFacts& facts) {
    if (!facts.storage_in_tracing) return "this kernel refuses socket storage in tracing programs";
    return needs_any_cgroup(facts);
}

Obstacle needs_cgroup_root(const KernelFacts& facts) {
    if (const auto obstacle = needs_cgroup(facts)) return obstacle;
    if (!facts.cgroup2_root) return "the cgroup v2 mounted here begins below the root";
    return std::nullopt;
}

Requirement wanted(bool is_wanted, const char* option, Obstacle (*requirement)(const KernelFacts&)) {
    return [=](const KernelFacts& facts) -> Obstacle {
        if (!is_wanted) return fmt::format("switched off ({})", option);
        return requirement(facts);
    };
}

Obstacle needs_storage_at_entry(const KernelFacts& facts) {
    if (!facts.storage_in_tracing) return "this kernel refuses socket storage in tracing programs";
    if (!facts.trampolines) return "this kernel refuses fentry programs";
    for (const auto* name : {"tcp_finish_connect", "tcp_reset"})
        if (!facts.functions.contains(name)) return std::string("this kernel's BTF has no function ") + name;
    return std::nullopt;
}

std::string syscall_symbol(const KernelFacts& facts, const std::string& call) {
    return (facts.architecture == "aarch64" ? "__arm64_sys_" : "__x64_sys_") + call;
}

Obstacle needs_storage(const KernelFacts& facts) {
    if (!facts.storage_in_tracing) return "this kernel refuses socket storage in tracing programs";
    return lacks_tracepoint(facts, "inet_sock_set_state", 3);
}

Obstacle needs_storage_and_registers(const KernelFacts& facts) {
    if (const auto obstacle = needs_storage(facts)) return obstacle;
    if (!facts.user_registers) return "this kernel has no bpf_task_pt_regs";
    return std::nullopt;
}

Signal life_cycle() {
    return {"life cycle",
            {{"tp_btf inet_sock_set_state, socket storage", {"on_state"}, needs_storage_and_registers, ""},
             {"tp_btf inet_sock_set_state, socket storage",
              {"on_state"},
              needs_storage,
              "addresses as connect() was given them, before service translation"},
             {"tp_btf inet_sock_set_state, LRU map",
              {"on_state"},
              tracepoint("inet_sock_set_state", 3),
              "who accepted; addresses before service translation; owners beyond 65536 sockets"}},
            "every connection",
            true};
}

std::vector<Signal> call_signals(const KernelFacts& facts) {
    const std::string socket = syscall_symbol(facts, "socket");
    const std::string accept = syscall_symbol(facts, "accept");
    const std::string accept4 = syscall_symbol(facts, "accept4");
    const std::string other_doors = "calls through io_uring and 32-bit calls";
    return {
        {"connect results",
         {{"fexit inet_stream_connect, inet_dgram_connect",
           {"on_stream_connect", "on_dgram_connect"},
           function_exit({"inet_stream_connect", "inet_dgram_connect"}),
           ""},
          {"tracepoint sys_exit_connect",
           {"on_connect_exit"},
           needs_syscall_exit_with_registers,
           "connects through io_uring and 32-bit calls that fail before a SYN"}},
         "connects that fail before a SYN: no route, no port"},
        {"socket results",
         {{"fexit " + socket, {"on_socket_return"}, function_exit({socket}), other_doors},
          {"tracepoint sys_exit_socket", {"on_socket_exit"}, needs_syscall_exit, other_doors}},
         "processes that run out of file descriptors in socket()"},
        {"accept results",
         {{"fexit " + accept + ", accept4",
           {"on_accept_return", "on_accept4_return"},
           function_exit_with_arguments({accept, accept4}),
           other_doors},
          {"tracepoint sys_exit_accept, sys_exit_accept4",
           {"on_accept_exit", "on_accept4_exit"},
           needs_syscall_exit_with_registers,
           other_doors},
          {"tracepoint sys_exit_accept, sys_exit_accept4",
           {"on_accept_exit", "on_accept4_exit"},
           needs_syscall_exit,
           other_doors + "; the listener"}},
         "servers that run out of file descriptors in accept()"},
    };
}

std::vector<Signal> packet_signals() {
    return {
        {"retransmits",
         {{"tp_btf tcp_retransmit_skb with result",
           {"on_retransmit_result"},
           tracepoint("tcp_retransmit_skb", 3),
           ""},
          {"tp_btf tcp_retransmit_skb",
           {"on_retransmit_sent"},
           tracepoint("tcp_retransmit_skb", 2),
           "retransmissions that could not leave this host"}},
         "SYN and timeout retransmissions as they happen"},
        {"SYN-ACK retransmits",
         {{"tp_btf tcp_retransmit_synack",
           {"on_retransmit_synack"},
           tracepoint("tcp_retransmit_synack", 2),
           ""}},
         "clients that do not answer a SYN-ACK"},
        {"resets received",
         {{"tp_btf tcp_receive_reset", {"on_reset_received"}, tracepoint("tcp_receive_reset", 1), ""}},
         "whether a refusal was a RST or an ICMP error"},
        {"resets sent",
         {{"tp_btf tcp_send_reset with reason",
           {"on_reset_sent_reason"},
           tracepoint("tcp_send_reset", 3),
           ""},
          {"tp_btf tcp_send_reset",
           {"on_reset_sent"},
           tracepoint("tcp_send_reset", 2),
           "why this host sends a RST; RSTs without a socket"}},
         "RSTs that this host sends"},
        {"arrivals",
         {{"tp_btf tcp_probe", {"on_segment"}, tracepoint("tcp_probe", 2), ""}},
         "whether data that arrives out of order was lost or overtaken"},
        {"headers of answers",
         {{"cgroup_skb ingress at the root", {"on_ingress"}, needs_cgroup_root, ""},
          {"fentry tcp_finish_connect, tcp_reset", {"on_syn_ack", "on_reset"}, needs_storage_at_entry, ""},
          {"cgroup_skb ingress", {"on_ingress"}, needs_cgroup, "sockets of other cgroups"}},
         "whether a RST comes from the peer or from a box on the way"},
        {"socket errors",
         {{"tp_btf inet_sk_error_report", {"on_error_report"}, tracepoint("inet_sk_error_report", 1), ""}},
         "the ICMP error behind a failure, and errors of UDP sockets"},
        {"drops",
         {{"tp_btf kfree_skb with reason", {"on_drop"}, tracepoint("kfree_skb", 3), ""}},
         "packets that this host drops itself, and why"},
        {"ICMP sent",
         {{"tp_btf icmp_send (IPv4)", {"on_icmp_send"}, tracepoint("icmp_send", 3), ""}},
         "ICMP errors that this host sends"},
        {"neighbours",
         {{"tp_btf neigh_update, neigh_timer_handler",
           {"on_neighbor_update", "on_neighbor_timer"},
           [](const KernelFacts& facts) {
               const auto update = lacks_tracepoint(facts, "neigh_update", 4);
               return update ? update : lacks_tracepoint(facts, "neigh_timer_handler", 1);
           },
           ""}},
         "neighbours that do not answer ARP or NDP"},
    };
}

// Both are read by the same programs, of which each then leaves out what is not wanted.
std::vector<Signal> payload_signals(const Watches& watches) {
    const std::vector<std::string> programs{"on_ingress", "on_egress"};
    const auto dns = [&](auto requirement) { return wanted(watches.dns, "--no-dns", requirement); };
    const auto tls = [&](auto requirement) { return wanted(watches.tls, "--no-tls", requirement); };
    return {
        {"DNS messages",
         {{"cgroup_skb ingress and egress at the root", programs, dns(needs_cgroup_root), ""},
          {"cgroup_skb ingress and egress", programs, dns(needs_cgroup), "sockets of other cgroups"},
          {"cgroup_skb ingress and egress", programs, dns(needs_any_cgroup), "DNS over TCP"}},
         "names, and failures to resolve them"},
        {"TLS handshakes",
         {{"cgroup_skb ingress and egress at the root", programs, tls(needs_cgroup_root), ""},
          {"cgroup_skb ingress and egress", programs, tls(needs_cgroup), "sockets of other cgroups"}},
         "failures of TLS handshakes"},
    };
}

std::vector<Signal> walk_signals() {
    return {
        {"snapshots",
         {{"iterator over socket storage", {"walk_states"}, needs_storage_walk, ""},
          {"iterator over TCP sockets",
           {"walk_tcp"},
           needs_tcp_walk,
           "live sockets of other network namespaces"}},
         "the counters of live connections and listeners"},
        {"earlier sockets",
         {{"iterator over open files", {"tag_sockets"}, needs_tagging, ""}},
         "whose the sockets are that are older than the agent"},
    };
}

// Asked by the agent, without a program.
Signal translations() {
    return {"NAT peers",
            {{"conntrack over netlink",
              {},
              [](const KernelFacts& facts) -> Obstacle {
                  if (!facts.net_admin) return "CAP_NET_ADMIN is missing";
                  return std::nullopt;
              },
              ""}},
            "where NAT sends a connection"};
}

std::vector<Signal> all_signals(const KernelFacts& facts, const Watches& watches) {
    std::vector<Signal> signals{life_cycle()};
    for (auto&& group :
         {call_signals(facts), packet_signals(), payload_signals(watches), walk_signals(), {translations()}})
        signals.insert(signals.end(), group.begin(), group.end());
    return signals;
}

Obstacle refusal(const Candidate& candidate, const RefusedPrograms& refused) {
    for (const auto& program : candidate.programs)
        if (const auto found = refused.find(program); found != refused.end()) return found->second;
    return std::nullopt;
}

PlannedHook plan_signal(const Signal& signal, const KernelFacts& facts, const RefusedPrograms& refused) {
    PlannedHook planned;
    planned.signal = signal.name;
    planned.vital = signal.vital;
    for (const auto& candidate : signal.candidates) {
        auto obstacle = candidate.requirement(facts);
        if (!obstacle) obstacle = refusal(candidate, refused);
        if (!obstacle) {
            planned.hook = candidate.hook;
            planned.programs = candidate.programs;
            planned.lost = candidate.lost;
            planned.state =
                &candidate == &signal.candidates.front() ? NETWATCH_HOOK_BEST : NETWATCH_HOOK_FALLBACK;
            return planned;
        }
        if (planned.reason.contains(*obstacle)) continue;
        if (!planned.reason.empty()) planned.reason += "; ";
        planned.reason += *obstacle;
    }
    planned.lost = signal.lost;
    return planned;
}

struct Feature {
    std::string_view name;
    void (*remove)(KernelFacts&);
};

constexpr auto features = std::to_array<Feature>({
    {"fexit", [](KernelFacts& facts) { facts.trampolines = false; }},
    {"syscall-tracepoints", [](KernelFacts& facts) { facts.syscall_tracepoints = false; }},
    {"socket-storage",
     [](KernelFacts& facts) { facts.storage_in_tracing = facts.cookie_in_tracing = false; }},
    {"socket-cookie", [](KernelFacts& facts) { facts.cookie_in_tracing = false; }},
    {"task-file", [](KernelFacts& facts) { facts.iterators.erase("task_file"); }},
    {"retransmit-result",
     [](KernelFacts& facts) {
         auto& arguments = facts.tracepoints["tcp_retransmit_skb"];
         arguments = std::min(arguments, 2);
     }},
    {"reset-reason",
     [](KernelFacts& facts) {
         auto& arguments = facts.tracepoints["tcp_send_reset"];
         arguments = std::min(arguments, 2);
     }},
    {"segments", [](KernelFacts& facts) { facts.tracepoints.erase("tcp_probe"); }},
    {"cgroup-skb", [](KernelFacts& facts) { facts.cgroup2_mount.clear(); }},
    {"error-report", [](KernelFacts& facts) { facts.tracepoints.erase("inet_sk_error_report"); }},
    {"drop-reason", [](KernelFacts& facts) { facts.tracepoints.erase("kfree_skb"); }},
    {"icmp-send", [](KernelFacts& facts) { facts.tracepoints.erase("icmp_send"); }},
    {"neighbor", [](KernelFacts& facts) { facts.tracepoints.erase("neigh_update"); }},
});

constexpr auto names = [] {
    std::array<std::string_view, features.size()> result;
    std::ranges::transform(features, result.begin(), &Feature::name);
    return result;
}();

}  // namespace

Plan make_plan(const KernelFacts& facts, const RefusedPrograms& refused, const Watches& watches) {
    Plan plan;
    plan.watches = watches;
    plan.storage = facts.storage_in_tracing;
    plan.cookie = facts.cookie_in_tracing;
    for (const auto& signal : all_signals(facts, watches))
        plan.hooks.push_back(plan_signal(signal, facts, refused));
    return plan;
}

std::span<const std::string_view> feature_names() { return names; }

core::Result<KernelFacts> without_features(KernelFacts facts, const std::vector<std::string>& unwanted) {
    for (const auto& name : unwanted) {
        const auto feature = std::ranges::find(features, name, &Feature::name);
        if (feature == features.end())
            return core::usage_error("no such feature: " + name,
                                     fmt::format("one of: {}", fmt::join(names, ", ")));
        feature->remove(facts);
    }
    return facts;
}

}  // namespace netwatch::sensor
