// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/ladder.h"

#include <fmt/format.h>

#include <algorithm>

#include "diagnosis/dns.h"
#include "diagnosis/leaf.h"
#include "diagnosis/refusal.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::LadderStatus;
using model::LadderStep;
using model::Rung;

constexpr std::uint64_t window_ns = 60 * core::ns_per_s;
constexpr double healthy_loss = 0.003;

// What the ports of one address say together.
struct Seen {
    const Destination* destination = nullptr;  // the asked one; for a whole address the busiest
    const Address* address = nullptr;
    std::uint64_t attempts = 0;
    std::uint64_t established = 0;
    core::BootNs last_answer = 0;
    core::BootNs last_progress = 0;
    std::uint32_t flows = 0;
    core::BootNs failing_since = 0;  // the first attempt that failed of those that still do; 0: none
};

Seen look(const Scene& scene, const DestinationKey& key) {
    Seen seen;
    seen.address = scene.destinations.find_address({key.endpoint.ip, key.netns});
    if (seen.address != nullptr) seen.last_answer = seen.address->last_answer_at();
    const auto take = [&](const DestinationKey& one) {
        const Destination* destination = scene.destinations.find(one);
        if (destination == nullptr) return;
        if (seen.destination == nullptr || destination->attempts > seen.destination->attempts)
            seen.destination = destination;
        seen.attempts += destination->attempts;
        seen.established += destination->established;
        seen.last_progress = std::max(seen.last_progress, destination->last_progress_at);
        seen.flows += destination->flows;
        if (!destination->run) return;
        const core::BootNs since = destination->run->first_start_ns;
        if (seen.failing_since == 0 || since < seen.failing_since) seen.failing_since = since;
    };
    if (key.endpoint.port != 0) {
        take(key);
    } else if (seen.address != nullptr) {
        for (const std::uint16_t port : seen.address->ports) {
            DestinationKey one = key;
            one.endpoint.port = port;
            take(one);
        }
    }
    return seen;
}

LadderStep step(Rung rung, LadderStatus status, std::string evidence) {
    return {rung, status, std::move(evidence)};
}

bool recent(const Scene& scene, core::BootNs at) { return at != 0 && at + window_ns >= scene.now; }

// What was seen before the failures began says nothing of them.
bool proves(const Scene& scene, const Seen& seen, core::BootNs at) {
    return recent(scene, at) && at >= seen.failing_since;
}

LadderStep ip_step(const Scene& scene, const Seen& seen) {
    if (proves(scene, seen, seen.last_answer)) {
        return step(Rung::ip, LadderStatus::ok, "the address answered " + scene.ago(seen.last_answer));
    }
    if (seen.last_answer != 0)
        return step(Rung::ip, LadderStatus::unknown, "last answer " + scene.ago(seen.last_answer));
    return step(Rung::ip, LadderStatus::unknown, "no answer from the address was seen");
}

LadderStep port_step(const Scene& scene, const Seen& seen) {
    if (seen.destination == nullptr)
        return step(Rung::port, LadderStatus::unknown, "no connect to it was seen");
    const Destination& d = *seen.destination;
    const std::string counts = fmt::format("{} of {} connects established", seen.established, seen.attempts);
    if (d.run) {
        const bool answered = d.dominant() == OutcomeClass::refused;
        return step(Rung::port, LadderStatus::failing,
                    fmt::format("{}; none since {}{}", counts,
                                d.last_success_at != 0 ? scene.ago(d.last_success_at) : "netwatch started",
                                answered ? ", answered with RST" : ""));
    }
    if (recent(scene, d.last_success_at)) return step(Rung::port, LadderStatus::ok, counts);
    if (recent(scene, seen.last_progress)) {
        return step(
            Rung::port, LadderStatus::ok,
            fmt::format("{} connections open, data moved {}", seen.flows, scene.ago(seen.last_progress)));
    }
    return step(Rung::port, LadderStatus::unknown, "no connect in the last minute; " + counts);
}

LadderStep latency_step(const Seen& seen) {
    if (seen.destination == nullptr || !seen.destination->detail ||
        seen.destination->detail->rtt_us.count() == 0) {
        return step(Rung::latency, LadderStatus::unknown, "no round trip was measured");
    }
    const Histogram& rtt = seen.destination->detail->rtt_us;
    const std::string text = fmt::format("round trip {:.2f} ms at the median, {:.2f} ms at p99 of {}",
                                         *rtt.quantile(0.5) / 1000, *rtt.quantile(0.99) / 1000, rtt.count());
    if (seen.failing_since != 0)
        return step(Rung::latency, LadderStatus::unknown,
                    "nothing to measure while it fails; before: " + text);
    return step(Rung::latency, LadderStatus::ok, text);
}

LadderStep loss_step(const Scene& scene, const Seen& seen) {
    if (seen.address == nullptr || !seen.address->quality) {
        return step(Rung::loss, LadderStatus::unknown, "no segments to it are known of");
    }
    const std::uint64_t failing_ns = scene.now - std::min(scene.now, seen.failing_since);
    const auto window = seen.address->quality->window(scene.now, std::min(window_ns, failing_ns));
    if (window.segments + window.segments_in == 0) {
        return step(Rung::loss, LadderStatus::unknown,
                    seen.failing_since != 0 ? "no segments got through since it fails"
                                            : "no segments in the last minute");
    }
    const double forward = window.loss_share().value_or(0);
    const double reverse = window.loss_in_share().value_or(0);
    std::string text = fmt::format("{} of {} segments lost on the way there, {:.0f} of {} on the way here",
                                   std::max<std::int64_t>(window.lost, 0), window.segments, window.lost_in(),
                                   window.segments_in);
    const bool clean = forward < healthy_loss && reverse < healthy_loss;
    return step(Rung::loss, clean ? LadderStatus::ok : LadderStatus::degraded, std::move(text));
}

LadderStep route_step(const Scene& scene, const DestinationKey& key, const Seen& seen) {
    if (proves(scene, seen, seen.last_answer))
        return step(Rung::route, LadderStatus::ok, "answers come back from the address");
    const core::BootNs since = std::max(scene.now - std::min(scene.now, window_ns), seen.failing_since);
    const auto siblings = scene.destinations.answering_siblings({key.endpoint.ip, key.netns}, since);
    if (!siblings.empty()) {
        return step(Rung::route, LadderStatus::ok,
                    fmt::format("{} other addresses of {} answer", siblings.size(),
                                model::Prefix::sibling_block(key.endpoint.ip).to_string()));
    }
    return step(Rung::route, LadderStatus::unknown,
                seen.failing_since != 0 ? "no other address of its network was heard since it fails"
                                        : "no other address of its network was heard in the last minute");
}

LadderStep firewall_step(const Scene& scene, const Seen& seen) {
    if (seen.destination == nullptr)
        return step(Rung::firewall, LadderStatus::unknown, "no connect to it was seen");
    if (recent(scene, seen.destination->last_success_at) && !seen.destination->run) {
        return step(Rung::firewall, LadderStatus::ok, "new connections pass");
    }
    if (seen.destination->dominant() == OutcomeClass::refused) {
        const Leaf leaf{.destination = seen.destination, .cls = OutcomeClass::refused};
        const bool by_host = refuser_of(scene, leaf) == Refuser::host;
        return by_host ? step(Rung::firewall, LadderStatus::ok,
                              "packets pass both ways: the refusal is the host's own RST")
                       : step(Rung::firewall, LadderStatus::unknown,
                              "a RST refuses; that it is the host's own is not known");
    }
    return step(Rung::firewall, LadderStatus::unknown, "no new connection got as far as to tell");
}

LadderStep service_step(const Scene& scene, const Seen& seen) {
    if (seen.destination == nullptr || !seen.destination->detail) {
        return step(Rung::service, LadderStatus::unknown, "no request to it was seen");
    }
    const Answers& answers = seen.destination->detail->answers;
    if (seen.failing_since != 0)
        return step(Rung::service, LadderStatus::unknown, "no request reaches it while connects fail");
    if (recent(scene, answers.last_prompt) && answers.baseline_us.count() > 0) {
        // The clock that answers are timed by is the kernel's timer tick.
        const double median_ms = *answers.baseline_us.quantile(0.5) / 1000;
        return step(Rung::service, LadderStatus::ok,
                    median_ms < 0.05 ? "answers within a timer tick"
                                     : fmt::format("answers in {:.1f} ms at the median", median_ms));
    }
    return step(Rung::service, LadderStatus::unknown, "no answer to a request was seen in the last minute");
}

}  // namespace

model::Rung failing_rung(FailureType type) {
    switch (type) {
        case FailureType::dns_failure: return Rung::dns;
        case FailureType::host_unreachable:
        case FailureType::neighbor_failure: return Rung::ip;
        case FailureType::port_blocked: return Rung::port;
        case FailureType::latency_spike: return Rung::latency;
        case FailureType::packet_loss: return Rung::loss;
        case FailureType::routing_failure:
        case FailureType::path_mtu_blackhole:
        case FailureType::link_down: return Rung::route;
        case FailureType::firewall_block:
        case FailureType::idle_timeout_drop: return Rung::firewall;
        default: return Rung::service;
    }
}

model::LadderSteps ladder_of(const Scene& scene, const DestinationKey& key, const model::Incident* incident) {
    const Seen seen = look(scene, key);
    model::LadderSteps steps{dns_step(scene, key),       ip_step(scene, seen),
                             port_step(scene, seen),     latency_step(seen),
                             loss_step(scene, seen),     route_step(scene, key, seen),
                             firewall_step(scene, seen), service_step(scene, seen)};
    if (incident == nullptr || incident->evidence.empty()) return steps;
    const bool partial = incident->type == FailureType::packet_loss ||
                         incident->type == FailureType::slow_service ||
                         incident->type == FailureType::latency_spike;
    LadderStep& failing = steps[static_cast<std::size_t>(failing_rung(incident->type))];
    failing.status = partial ? LadderStatus::degraded : LadderStatus::failing;
    failing.evidence = incident->evidence.front().text;
    return steps;
}

model::LadderVerdict verdict_of(const model::LadderSteps& steps, const model::Incident* incident) {
    using model::LadderVerdict;
    const bool reached = incident != nullptr && (incident->type == FailureType::slow_service ||
                                                 incident->type == FailureType::receiver_stalled);
    if (reached && incident->candidates.size() == 1) return LadderVerdict::not_the_network;
    if (incident != nullptr && incident->severity != model::Severity::info) return LadderVerdict::failing;
    const LadderStatus port = steps[static_cast<std::size_t>(Rung::port)].status;
    if (port == LadderStatus::ok) return LadderVerdict::healthy;
    return LadderVerdict::unknown;
}

}  // namespace netwatch::diagnosis
