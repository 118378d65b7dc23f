// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/dead_address.h"

#include <fmt/format.h>

#include <algorithm>

namespace netwatch::diagnosis {
namespace {

constexpr std::ptrdiff_t others_that_answer = 2;
constexpr double probability = 0.93;

// The ways in which one member of a service dies, not the way there.
bool is_of_the_address(OutcomeClass cls) {
    return cls == OutcomeClass::silent || cls == OutcomeClass::refused ||
           cls == OutcomeClass::icmp_host_unreachable || cls == OutcomeClass::neighbor_failed;
}

}  // namespace

void tell_dead_address(const Scene& scene, const Leaves& leaves, Finding& finding) {
    const Leaf& leaf = leaves.front();
    const std::string* name = scene.names.of(leaf.endpoint().ip);
    if (leaves.size() != 1 || name == nullptr || !is_of_the_address(leaf.cls)) return;
    if (!leaf.destination->ever_worked()) return;
    const core::BootNs since = leaf.run().first_start_ns + in_flight_ns;
    const auto answers = [&](const model::IpAddress& ip) {
        DestinationKey key = leaf.destination->key;
        if (ip == key.endpoint.ip || ip.is_v4() != key.endpoint.ip.is_v4()) return false;
        key.endpoint.ip = ip;
        const Destination* other = scene.destinations.find(key);
        return other != nullptr && !other->run && other->last_success_at > since;
    };
    const auto others = std::ranges::count_if(scene.names.find(*name)->addresses, answers);
    if (others < others_that_answer) return;
    const model::Candidate was = finding.candidates.front();
    finding.candidates = {{model::FailureType::load_balancer, "address_dead", probability, std::nullopt}};
    finding.severity = std::min(finding.severity, model::Severity::warning);
    finding.destination = leaf.destination->ref();
    finding.scope = {model::ScopeKind::destination, std::nullopt, {leaf.endpoint().to_string()}};
    note(finding, scene, "other_addresses_answer", static_cast<double>(others),
         fmt::format("{} other addresses of {} answer on port {}", others, *name, leaf.endpoint().port));
    note(finding, scene, "seen_alone", 1,
         fmt::format("by itself it would be {} ({})", model::to_string(was.type),
                     was.cause.value_or("no cause")));
}

}  // namespace netwatch::diagnosis
