// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/fault_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "diagnosis/refusal.h"

namespace netwatch::diagnosis::faults {

using model::FailureType;
using model::ScopeKind;

Finding refused(const Scene& scene, const Leaves& leaves) {
    Finding finding = start(scene, leaves);
    explain_answer(finding, scene, leaves, "reset_received", "the host answered the SYN with RST");
    note_refuser(finding, scene, leaves.front());
    rule_out(finding, FailureType::host_unreachable, "the host answered, with RST");
    rule_out(finding, FailureType::routing_failure, "packets reach the host and come back");
    if (refuser_of(scene, leaves.front()) == Refuser::host) {
        single(finding, FailureType::port_blocked, "closed_port");
        rule_out(finding, FailureType::firewall_block,
                 "the RSTs come from where the address's SYN-ACKs come from");
    } else {
        finding.candidates = {{FailureType::port_blocked, "closed_port", 0.88,
                               "a SYN-ACK of the address with the same TTL as the RSTs"},
                              {FailureType::firewall_block, "reset_by_middlebox", 0.09,
                               "a SYN-ACK of the address with another TTL than the RSTs"}};
    }
    return finding;
}

// Somebody refuses in the host's name.
Finding refused_by_box(const Scene& scene, const Leaves& leaves) {
    Finding finding = start(scene, leaves);
    explain_answer(finding, scene, leaves, "reset_received", "a RST answered the SYN");
    note_refuser(finding, scene, leaves.front());
    rule_out(finding, FailureType::host_unreachable, "something on the way or on the host answered at once");
    const Refuser refuser = refuser_of(scene, leaves.front());
    if (refuser == Refuser::likely_box) {
        finding.candidates = {
            {FailureType::firewall_block, "reset_by_middlebox", 0.72,
             "the rules of the firewall before the host"},
            {FailureType::port_blocked, "closed_port", 0.23,
             "whether the host leads the port on to a container or another host that is gone"}};
    } else if (refuser == Refuser::box) {
        single(finding, FailureType::firewall_block, "reset_by_middlebox", 0.95);
        rule_out(finding, FailureType::port_blocked,
                 "the RSTs are not from the host that accepted connections on the port");
    } else {
        finding.candidates = {
            {FailureType::firewall_block, "reset_by_middlebox", 0.58,
             "whether the port leads to the same host as the others of the address: then a box"},
            {FailureType::port_blocked, "closed_port", 0.37,
             "a listener on the port's own host: if there is none, a closed port"}};
    }
    return finding;
}

Finding rejected(const Scene& scene, const Leaves& leaves) {
    Finding finding = start(scene, leaves);
    const OutcomeClass cls = leaves.front().cls;
    if (cls == OutcomeClass::icmp_port_unreachable) {
        single(finding, FailureType::firewall_block, "icmp_port_unreachable");
        explain_answer(finding, scene, leaves, "icmp_port_unreachable",
                       "ICMP port unreachable instead of a RST");
        rule_out(finding, FailureType::host_unreachable,
                 "something on the way or on the host answered at once");
    } else {
        single(finding, FailureType::firewall_block, "admin_prohibited");
        const bool host = cls == OutcomeClass::icmp_host_unreachable;
        explain_answer(finding, scene, leaves, host ? "icmp_host_unreachable" : "icmp_net_unreachable",
                       host ? "ICMP host unreachable" : "ICMP network unreachable");
        note_reached_otherwise(finding, scene, leaves.front());
        rule_out(finding, FailureType::host_unreachable, "the host is reached otherwise");
        rule_out(finding, FailureType::routing_failure,
                 "the same address is reached otherwise: the ICMP error is a rule's word, not a route's");
    }
    rule_out(finding, FailureType::port_blocked, "a closed TCP port answers with RST; none was received");
    return finding;
}

Finding prohibited(const Scene& scene, const Leaves& leaves) {
    Finding finding = start(scene, leaves);
    single(finding, FailureType::firewall_block, "admin_prohibited");
    if (leaves.size() > 1) {
        if (distinct_addresses(leaves) == 1) blame_address(finding);
        widen(finding, scene, leaves);
    }
    explain_answer(finding, scene, leaves, "icmp_admin_prohibited", "ICMP administratively prohibited");
    rule_out(finding, FailureType::port_blocked, "a closed TCP port answers with RST; none was received");
    rule_out(finding, FailureType::routing_failure, "the router names a policy, not a missing route");
    return finding;
}

Finding unroutable(const Scene& scene, const Leaves& leaves) {
    Finding finding = start(scene, leaves);
    const OutcomeClass cls = leaves.front().cls;
    if (leaves.size() > 1 && distinct_addresses(leaves) == 1) blame_address(finding);
    widen(finding, scene, leaves, ScopeKind::path);
    if (cls == OutcomeClass::icmp_ttl_exceeded) {
        single(finding, FailureType::routing_failure, "ttl_exceeded");
        explain_answer(finding, scene, leaves, "icmp_ttl_exceeded",
                       "ICMP time exceeded: packets go in a circle");
    } else if (cls == OutcomeClass::icmp_net_unreachable || distinct_addresses(leaves) > 1) {
        single(finding, FailureType::routing_failure, "icmp_net_unreachable");
        explain_answer(finding, scene, leaves, "icmp_net_unreachable", "ICMP network unreachable");
    } else {
        finding.candidates = {
            {FailureType::routing_failure, "icmp_net_unreachable", 0.6,
             "a second address of the same network failing the same way"},
            {FailureType::host_unreachable, "icmp_host_unreachable", 0.25,
             "another address of the same network answering"},
            {FailureType::firewall_block, "admin_prohibited", 0.1, "another port of the address answering"}};
        explain_answer(finding, scene, leaves, "icmp_host_unreachable", "ICMP host unreachable, at once");
    }
    rule_out(finding, FailureType::port_blocked, "no RST was received");
    rule_out(finding, FailureType::firewall_block, "the ICMP code names a route, not a policy");
    if (finding.candidates.size() > 1) finding.ruled_out.pop_back();
    return finding;
}

Finding dead_host(const Scene& scene, const Leaves& leaves) {
    Finding finding = start(scene, leaves);
    single(finding, FailureType::host_unreachable, "icmp_host_unreachable");
    blame_address(finding);
    const auto delay_ns = [](const Leaf& leaf) { return leaf.run().answer_delay_ns; };
    explain_answer(
        finding, scene, leaves, "icmp_host_unreachable",
        fmt::format(
            "ICMP host unreachable, the first after {}: the time in which address resolution gives up",
            core::to_duration(std::ranges::max(leaves | std::views::transform(delay_ns)))));
    rule_out(finding, FailureType::routing_failure, "a missing route is answered at once, not after seconds");
    rule_out(finding, FailureType::port_blocked, "no RST was received");
    return finding;
}

}  // namespace netwatch::diagnosis::faults
