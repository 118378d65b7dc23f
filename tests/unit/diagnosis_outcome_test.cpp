// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/outcome.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cerrno>

#include "model/record.h"

namespace netwatch::diagnosis {
namespace {

constexpr std::uint64_t begun = 1'000 * core::ns_per_s;

netwatch_connect failed(std::uint8_t family, double delay_s = 0.001) {
    auto record = model::make_record<netwatch_connect>(begun + static_cast<std::uint64_t>(delay_s * 1e9));
    record.start_ns = begun;
    record.tuple.family = family;
    record.tuple.protocol = IPPROTO_TCP;
    record.tuple.local_port = 40'000;
    record.tuple.local_ip[15] = 1;
    record.outcome = NETWATCH_OUTCOME_FAILED;
    return record;
}

OutcomeClass class_of(const netwatch_connect& record) { return outcome_of(record)->cls; }

OutcomeClass class_of_icmp(std::uint8_t family, std::uint8_t type, std::uint8_t code) {
    auto record = failed(family);
    record.icmp = {
        .present = 1, .type = type, .code = code, .has_offender = 0, .reserved = 0, .offender = {}};
    record.error = EHOSTUNREACH;
    return class_of(record);
}

TEST(DiagnosisOutcome, IcmpCodesOfIPv4) {
    for (const std::uint8_t code : std::initializer_list<std::uint8_t>{1, 7, 12})
        EXPECT_EQ(class_of_icmp(4, 3, code), OutcomeClass::icmp_host_unreachable);
    for (const std::uint8_t code : std::initializer_list<std::uint8_t>{2, 3})
        EXPECT_EQ(class_of_icmp(4, 3, code), OutcomeClass::icmp_port_unreachable);
    for (const std::uint8_t code : std::initializer_list<std::uint8_t>{9, 10, 13})
        EXPECT_EQ(class_of_icmp(4, 3, code), OutcomeClass::icmp_admin_prohibited);
    for (const std::uint8_t code : std::initializer_list<std::uint8_t>{0, 5, 6, 11})
        EXPECT_EQ(class_of_icmp(4, 3, code), OutcomeClass::icmp_net_unreachable);
    EXPECT_EQ(class_of_icmp(4, 11, 0), OutcomeClass::icmp_ttl_exceeded);
}

TEST(DiagnosisOutcome, IcmpCodesOfIPv6) {
    EXPECT_EQ(class_of_icmp(6, 1, 0), OutcomeClass::icmp_net_unreachable);
    for (const std::uint8_t code : std::initializer_list<std::uint8_t>{1, 5, 6})
        EXPECT_EQ(class_of_icmp(6, 1, code), OutcomeClass::icmp_admin_prohibited);
    EXPECT_EQ(class_of_icmp(6, 1, 3), OutcomeClass::icmp_host_unreachable);
    EXPECT_EQ(class_of_icmp(6, 1, 4), OutcomeClass::icmp_port_unreachable);
    EXPECT_EQ(class_of_icmp(6, 3, 0), OutcomeClass::icmp_ttl_exceeded);
}

TEST(DiagnosisOutcome, ARefusalNeedsItsReset) {
    auto record = failed(4);
    record.error = ECONNREFUSED;
    EXPECT_EQ(class_of(record), OutcomeClass::icmp_port_unreachable);
    record.reset = 1;
    EXPECT_EQ(class_of(record), OutcomeClass::refused);
}

TEST(DiagnosisOutcome, TheSoftErrorTellsWhereTheHardOneDoesNot) {
    auto record = failed(6);
    record.soft_error = EACCES;
    EXPECT_EQ(class_of(record), OutcomeClass::icmp_admin_prohibited);
}

TEST(DiagnosisOutcome, AnErrorOfOurOwnIsOurs) {
    auto record = failed(4, 3.06);
    record.icmp = {.present = 1, .type = 3, .code = 1, .has_offender = 1, .reserved = 0, .offender = {}};
    record.icmp.offender[15] = 1;
    EXPECT_EQ(class_of(record), OutcomeClass::neighbor_failed);
    auto at_once = failed(4, 0.001);
    at_once.icmp = record.icmp;
    EXPECT_EQ(class_of(at_once), OutcomeClass::local_filter);
    record.icmp.offender[15] = 2;
    EXPECT_EQ(class_of(record), OutcomeClass::icmp_host_unreachable);
}

TEST(DiagnosisOutcome, GivingUpSaysNothingBeforeTheFirstRetransmission) {
    auto record = failed(4, 0.5);
    record.outcome = NETWATCH_OUTCOME_ABANDONED;
    EXPECT_EQ(class_of(record), OutcomeClass::abandoned);
    record.syn_retransmits = 1;
    EXPECT_EQ(class_of(record), OutcomeClass::silent);
    record.transmit_error = -EPERM;
    EXPECT_EQ(class_of(record), OutcomeClass::local_filter);
    record.transmit_error = -EBUSY;
    EXPECT_EQ(class_of(record), OutcomeClass::neighbor_failed);
}

TEST(DiagnosisOutcome, WithoutALocalPortTheCallTells) {
    auto record = failed(4);
    record.tuple.local_port = 0;
    EXPECT_FALSE(outcome_of(record));
    auto call = model::make_record<netwatch_call_failed>(begun);
    call.call = NETWATCH_CALL_CONNECT;
    call.tuple.protocol = IPPROTO_TCP;
    call.sock = 7;
    call.error = EADDRNOTAVAIL;
    EXPECT_EQ(outcome_of(call)->cls, OutcomeClass::ephemeral_ports);
    call.error = EHOSTUNREACH;  // the CONNECT record of that socket says it better
    EXPECT_FALSE(outcome_of(call));
}

TEST(DiagnosisOutcome, CallsThatAreNoAttemptsAreNone) {
    auto call = model::make_record<netwatch_call_failed>(begun);
    call.tuple.protocol = IPPROTO_TCP;
    call.error = ENETUNREACH;
    for (const auto kind : {NETWATCH_CALL_SOCKET, NETWATCH_CALL_ACCEPT}) {
        call.call = static_cast<std::uint8_t>(kind);
        EXPECT_FALSE(outcome_of(call));
    }
    call.call = NETWATCH_CALL_CONNECT;
    EXPECT_EQ(outcome_of(call)->cls, OutcomeClass::no_route);
    call.tuple.protocol = IPPROTO_UDP;
    EXPECT_FALSE(outcome_of(call));
}

}  // namespace
}  // namespace netwatch::diagnosis
