// SPDX-License-Identifier: Apache-2.0
// The plan for kernels as they were measured, without any of them.
#if NETWATCH_WITH_BPF

#include "sensor/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace netwatch::sensor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

KernelFacts linux_5_10() {
    KernelFacts facts;
    facts.release = "5.10.0";
    facts.architecture = "x86_64";
    facts.tracepoints = {{"inet_sock_set_state", 3}, {"tcp_retransmit_skb", 2},  {"tcp_retransmit_synack", 2},
                         {"tcp_receive_reset", 1},   {"tcp_send_reset", 2},      {"kfree_skb", 2},
                         {"neigh_update", 5},        {"neigh_timer_handler", 2}, {"tcp_probe", 2}};
    facts.functions = {"inet_stream_connect", "inet_dgram_connect", "__x64_sys_socket", "__x64_sys_accept",
                       "__x64_sys_accept4",   "tcp_finish_connect", "tcp_reset"};
    facts.iterators = {"bpf_sk_storage_map", "task_file", "tcp"};
    facts.trampolines = true;
    facts.syscall_tracepoints = facts.net_admin = facts.sys_admin = true;
    facts.cgroup2_mount = "/sys/fs/cgroup";
    facts.cgroup2_root = true;
    return facts;
}

KernelFacts linux_6_1() {
    KernelFacts facts = linux_5_10();
    facts.release = "6.1.0";
    facts.tracepoints["kfree_skb"] = 3;
    facts.tracepoints["inet_sk_error_report"] = 1;
    facts.tracepoints["icmp_send"] = 3;
    facts.storage_in_tracing = facts.cookie_in_tracing = facts.socket_from_file = facts.user_registers = true;
    facts.call_registers = true;
    return facts;
}

KernelFacts linux_6_12() {
    KernelFacts facts = linux_6_1();
    facts.release = "6.12.0";
    facts.tracepoints["kfree_skb"] = 4;
    facts.tracepoints["tcp_send_reset"] = 3;
    return facts;
}

// As the development machine: no trampolines.
KernelFacts linux_6_18() {
    KernelFacts facts = linux_6_12();
    facts.release = "6.18.0";
    facts.tracepoints["tcp_retransmit_skb"] = 3;
    facts.trampolines = false;
    return facts;
}

KernelFacts linux_7_2() {
    KernelFacts facts = linux_6_18();
    facts.release = "7.2.0";
    facts.trampolines = true;
    return facts;
}

PlannedHook hook_for(const KernelFacts& facts, std::string_view signal, const RefusedPrograms& refused = {}) {
    const Plan plan = make_plan(facts, refused);
    const auto found = std::ranges::find(plan.hooks, signal, &PlannedHook::signal);
    EXPECT_NE(found, plan.hooks.end()) << signal;
    return found == plan.hooks.end() ? PlannedHook{} : *found;
}

std::vector<std::string> signals_in_state(const KernelFacts& facts, netwatch_hook_state state) {
    std::vector<std::string> names;
    for (const auto& hook : make_plan(facts, {}).hooks)
        if (hook.state == state) names.push_back(hook.signal);
    return names;
}

TEST(SensorPlan, Linux72HasTheBestOfEverything) {
    EXPECT_THAT(signals_in_state(linux_7_2(), NETWATCH_HOOK_FALLBACK), IsEmpty());
    EXPECT_THAT(signals_in_state(linux_7_2(), NETWATCH_HOOK_MISSING), IsEmpty());
}

TEST(SensorPlan, WithoutTrampolinesTheExitsOfSystemCallsStandIn) {
    EXPECT_THAT(signals_in_state(linux_6_18(), NETWATCH_HOOK_FALLBACK),
                ElementsAre("connect results", "socket results", "accept results"));
    EXPECT_THAT(signals_in_state(linux_6_18(), NETWATCH_HOOK_MISSING), IsEmpty());
    const auto connect = hook_for(linux_6_18(), "connect results");
    EXPECT_THAT(connect.programs, ElementsAre("on_connect_exit"));
    EXPECT_THAT(connect.lost, HasSubstr("io_uring"));
    EXPECT_THAT(connect.reason, HasSubstr("fexit"));
}

TEST(SensorPlan, Linux612LacksTheResultOfARetransmission) {
    EXPECT_THAT(signals_in_state(linux_6_12(), NETWATCH_HOOK_FALLBACK), ElementsAre("retransmits"));
    EXPECT_THAT(hook_for(linux_6_12(), "retransmits").programs, ElementsAre("on_retransmit_sent"));
    EXPECT_THAT(hook_for(linux_6_12(), "resets sent").programs, ElementsAre("on_reset_sent_reason"));
}

TEST(SensorPlan, Linux61LacksResetReasons) {
    EXPECT_THAT(signals_in_state(linux_6_1(), NETWATCH_HOOK_FALLBACK),
                ElementsAre("retransmits", "resets sent"));
    EXPECT_THAT(signals_in_state(linux_6_1(), NETWATCH_HOOK_MISSING), IsEmpty());
}

TEST(SensorPlan, HeadersAreReadAtTheFunctionsWhereNoCgroupCanBeHad) {
    auto facts = linux_7_2();
    EXPECT_THAT(hook_for(facts, "headers of answers").programs, ElementsAre("on_ingress"));
    facts.cgroup2_root = false;
    EXPECT_THAT(hook_for(facts, "headers of answers").programs, ElementsAre("on_syn_ack", "on_reset"));
    EXPECT_THAT(hook_for(facts, "headers of answers").lost, IsEmpty());
    facts.trampolines = false;
    EXPECT_THAT(hook_for(facts, "headers of answers").programs, ElementsAre("on_ingress"));
    EXPECT_THAT(hook_for(facts, "headers of answers").lost, HasSubstr("other cgroups"));
    facts.net_admin = false;
    EXPECT_EQ(hook_for(facts, "headers of answers").state, NETWATCH_HOOK_MISSING);
    EXPECT_THAT(hook_for(facts, "headers of answers").reason, HasSubstr("CAP_NET_ADMIN"));
}

TEST(SensorPlan, WithoutSavedRegistersTheAskedAddressIsLost) {
    auto facts = linux_7_2();
    facts.user_registers = false;
    EXPECT_THAT(hook_for(facts, "life cycle").lost, HasSubstr("service translation"));
    EXPECT_TRUE(make_plan(facts, {}).storage);
}

TEST(SensorPlan, Linux510KeysSocketsByAddressAndSaysWhatIsLost) {
    const auto facts = linux_5_10();
    EXPECT_FALSE(make_plan(facts, {}).storage);
    EXPECT_THAT(signals_in_state(facts, NETWATCH_HOOK_FALLBACK),
                ElementsAre("life cycle", "accept results", "retransmits", "resets sent", "DNS messages",
                            "snapshots"));
    EXPECT_THAT(hook_for(facts, "accept results").lost, HasSubstr("the listener"));
    EXPECT_THAT(signals_in_state(facts, NETWATCH_HOOK_MISSING),
                ElementsAre("headers of answers", "socket errors", "drops", "ICMP sent", "TLS handshakes",
                            "earlier sockets"));
    EXPECT_THAT(hook_for(facts, "DNS messages").lost, HasSubstr("TCP"));
    EXPECT_THAT(hook_for(facts, "snapshots").programs, ElementsAre("walk_tcp"));
    EXPECT_THAT(hook_for(facts, "drops").reason, HasSubstr("2 arguments"));
    // as it turned out when loading: the type of the system call's argument is only declared there
    const auto accept = hook_for(facts, "accept results", {{"on_accept_return", "refused"}});
    EXPECT_THAT(accept.programs, ElementsAre("on_accept_exit", "on_accept4_exit"));
}

TEST(SensorPlan, WhateverIsNotTheBestSaysWhatIsLostAndWhy) {
    for (const auto& facts : {linux_5_10(), linux_6_1(), linux_6_12(), linux_6_18(), linux_7_2()})
        for (const auto& hook : make_plan(facts, {}).hooks) {
            SCOPED_TRACE(facts.release + ": " + hook.signal);
            const bool needs_programs = hook.signal != "NAT peers" && hook.state != NETWATCH_HOOK_MISSING;
            EXPECT_EQ(hook.programs.empty(), !needs_programs);
            if (hook.state == NETWATCH_HOOK_BEST) continue;
            EXPECT_FALSE(hook.lost.empty());
            EXPECT_FALSE(hook.reason.empty());
            EXPECT_LT(hook.lost.size(), sizeof netwatch_hook::lost);
            EXPECT_LT(hook.reason.size(), sizeof netwatch_hook::reason);
        }
}

TEST(SensorPlan, GoesRoundAProgramThatTheKernelRefuses) {
    const RefusedPrograms refused = {{"on_stream_connect", "the kernel refuses it: Invalid argument"}};
    const auto connect = hook_for(linux_7_2(), "connect results", refused);
    EXPECT_EQ(connect.state, NETWATCH_HOOK_FALLBACK);
    EXPECT_EQ(connect.reason, "the kernel refuses it: Invalid argument");
    EXPECT_EQ(hook_for(linux_7_2(), "drops", {{"on_drop", "no"}}).state, NETWATCH_HOOK_MISSING);
}

TEST(SensorPlan, NamesEveryObstacleAndTheCapabilityThatIsMissing) {
    auto facts = linux_6_18();
    facts.net_admin = facts.sys_admin = facts.syscall_tracepoints = false;
    EXPECT_EQ(hook_for(facts, "connect results").reason,
              "this kernel refuses fexit programs; tracefs cannot be read without CAP_SYS_ADMIN");
    EXPECT_EQ(hook_for(facts, "NAT peers").reason, "CAP_NET_ADMIN is missing");
    facts.sys_admin = true;
    EXPECT_THAT(hook_for(facts, "connect results").reason, HasSubstr("CONFIG_FTRACE_SYSCALLS"));
}

TEST(SensorPlan, TheListenerOfAnAcceptIsLostOnlyWithoutSavedRegisters) {
    auto facts = linux_6_18();
    EXPECT_THAT(hook_for(facts, "accept results").lost, Not(HasSubstr("the listener")));
    facts.user_registers = false;
    EXPECT_THAT(hook_for(facts, "accept results").lost, HasSubstr("the listener"));
    EXPECT_EQ(hook_for(facts, "accept results").state, NETWATCH_HOOK_FALLBACK);
}

TEST(SensorPlan, WhatIsNotWatchedNeedsNoProgramAndSaysWhy) {
    const auto find = [](const Plan& plan, std::string_view signal) {
        return *std::ranges::find(plan.hooks, signal, &PlannedHook::signal);
    };
    const Plan names_only = make_plan(linux_7_2(), {}, {.dns = true, .tls = false});
    EXPECT_THAT(find(names_only, "DNS messages").programs, ElementsAre("on_ingress", "on_egress"));
    EXPECT_EQ(find(names_only, "TLS handshakes").reason, "switched off (--no-tls)");
    const Plan neither = make_plan(linux_7_2(), {}, {.dns = false, .tls = false});
    for (const auto& hook : neither.hooks) EXPECT_THAT(hook.programs, Not(::testing::Contains("on_egress")));
    EXPECT_THAT(find(neither, "headers of answers").programs, ElementsAre("on_ingress"));
}

TEST(SensorPlan, OnlyTheLifeCycleIsVital) {
    auto facts = linux_7_2();
    facts.tracepoints.clear();
    for (const auto& hook : make_plan(facts, {}).hooks) EXPECT_EQ(hook.vital, hook.signal == "life cycle");
    EXPECT_EQ(hook_for(facts, "life cycle").state, NETWATCH_HOOK_MISSING);
}

TEST(SensorPlan, Arm64NamesItsOwnSystemCalls) {
    auto facts = linux_7_2();
    facts.architecture = "aarch64";
    facts.functions.insert("__arm64_sys_socket");
    EXPECT_THAT(hook_for(facts, "socket results").hook, HasSubstr("__arm64_sys_socket"));
}

TEST(SensorPlan, EachFeatureTakenAwayChangesThePlan) {
    for (const auto name : feature_names()) {
        const auto facts = without_features(linux_7_2(), {std::string(name)});
        ASSERT_TRUE(facts.has_value());
        if (name == "socket-cookie") {
            EXPECT_FALSE(make_plan(*facts, {}).cookie);
        } else if (name != "syscall-tracepoints") {  // only a fallback's: seen together with fexit below
            EXPECT_GT(signals_in_state(*facts, NETWATCH_HOOK_FALLBACK).size() +
                          signals_in_state(*facts, NETWATCH_HOOK_MISSING).size(),
                      0U)
                << name;
        }
    }
    const auto neither = without_features(linux_7_2(), {"fexit", "syscall-tracepoints"});
    ASSERT_TRUE(neither.has_value());
    EXPECT_EQ(hook_for(*neither, "connect results").state, NETWATCH_HOOK_MISSING);
}

TEST(SensorPlan, AnUnknownFeatureIsAUsageError) {
    const auto facts = without_features(linux_7_2(), {"fentri"});
    ASSERT_FALSE(facts.has_value());
    EXPECT_EQ(facts.error().exit_code, core::ExitCode::usage);
    EXPECT_THAT(facts.error().hint, HasSubstr("fexit"));
}

TEST(SensorFacts, SysAdminStandsForTheOtherCapabilities) {
    EXPECT_THAT(missing_capabilities(0), ElementsAre("CAP_BPF", "CAP_PERFMON"));
    EXPECT_THAT(missing_capabilities(1ULL << 39), ElementsAre("CAP_PERFMON"));
    EXPECT_THAT(missing_capabilities(1ULL << 39 | 1ULL << 38), IsEmpty());
    EXPECT_THAT(missing_capabilities(1ULL << 21), IsEmpty());
}

TEST(SensorFacts, FindsCgroup2WhereverItIsMounted) {
    EXPECT_EQ(find_cgroup2("39 30 0:36 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
                           "40 30 0:37 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n"),
              "/sys/fs/cgroup/unified");
    EXPECT_EQ(find_cgroup2("1 2 0:1 / / rw - ext4 /dev/root rw\n"), "");
}

}  // namespace
}  // namespace netwatch::sensor

#endif
