// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/refusal.h"

#include <fmt/format.h>

namespace netwatch::diagnosis {
namespace {

// The SYN-ACKs to compare with: of the port itself, or of its address, whose ports may lead to different
// hosts.
struct Reference {
    const HopLimits* limits = nullptr;
    bool of_port = false;
};

const HopLimits* of_address(const Scene& scene, const Leaf& leaf) {
    const Address* address = scene.destinations.find_address(leaf.address());
    return address == nullptr ? nullptr : &address->hop_limits;
}

Reference reference_for(const Scene& scene, const Leaf& leaf) {
    const Destination& destination = *leaf.destination;
    if (destination.detail && destination.detail->hop_limits.known())
        return {&destination.detail->hop_limits, true};
    const HopLimits* address = of_address(scene, leaf);
    if (address != nullptr && address->known()) return {address, false};
    return {};
}

bool comes_early(const FailureRun& run) {
    return run.early_refusals >= 3 &&
           2 * run.early_refusals > run.by_class[static_cast<std::size_t>(OutcomeClass::refused)];
}

// Also with another port's: the address's own host answers for what it leads on elsewhere no more, or the
// path to all of them has changed.
bool is_familiar(const Scene& scene, const Leaf& leaf, const Reference& reference) {
    const std::uint8_t limit = leaf.run().refusals.usual();
    const HopLimits* address = of_address(scene, leaf);
    return reference.limits->has(limit) || (address != nullptr && address->has(limit));
}

// What operating systems and routers begin with: 64, 128 or 255.
int initial_limit(std::uint8_t limit) { return limit <= 64 ? 64 : limit <= 128 ? 128 : 255; }

// One hop before the host there may be the host of the container that a port leads to, which refuses once the
// container is gone. No box is behind the host.
Refuser by_distance(std::uint8_t refusal, std::uint8_t usual) {
    if (initial_limit(refusal) != initial_limit(usual) || refusal > usual + 1) return Refuser::box;
    return refusal > usual ? Refuser::likely_box : Refuser::perhaps_box;
}

}  // namespace

Refuser refuser_of(const Scene& scene, const Leaf& leaf) {
    const HopLimits& refusals = leaf.run().refusals;
    const bool early = comes_early(leaf.run());
    const Reference reference = reference_for(scene, leaf);
    if (refusals.count() == 0 || reference.limits == nullptr)
        return early ? Refuser::perhaps_box : Refuser::unknown;
    if (!is_familiar(scene, leaf, reference)) {
        if (early) return Refuser::box;
        return reference.of_port ? by_distance(refusals.usual(), reference.limits->usual())
                                 : Refuser::perhaps_box;
    }
    const bool unlike = reference.limits->marked_unlike(refusals);
    if (early && unlike) return Refuser::box;
    return early || unlike ? Refuser::perhaps_box : Refuser::host;
}

void note_refuser(Finding& finding, const Scene& scene, const Leaf& leaf) {
    const HopLimits& refusals = leaf.run().refusals;
    const Reference reference = reference_for(scene, leaf);
    if (refusals.count() > 0 && reference.limits != nullptr) {
        note(finding, scene, "reset_hop_limit", refusals.usual(),
             fmt::format("the RSTs arrive with a TTL of {}; the SYN-ACKs of {} with {}", refusals.usual(),
                         reference.of_port ? "the port" : "other ports of the address",
                         reference.limits->usual()));
        if (reference.limits->marked_unlike(refusals)) {
            note(finding, scene, "reset_ip_id", refusals.count(),
                 "of the RSTs and the SYN-ACKs only one kind carries an IPv4 identification");
        }
    } else {
        note(finding, scene, "reset_sender_unknown", refusals.count(),
             "no SYN-ACK of the address was seen whose TTL could be compared with that of the RSTs");
    }
    if (leaf.run().early_refusals > 0) {
        note(finding, scene, "reset_early", leaf.run().early_refusals,
             fmt::format("{} RSTs came in less than half of the shortest round trip to the host",
                         leaf.run().early_refusals));
    }
}

}  // namespace netwatch::diagnosis
