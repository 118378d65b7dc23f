// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/finding.h"

#include <fmt/format.h>

#include "diagnosis/scene.h"

namespace netwatch::diagnosis {

Finding finding_at(const Destination& destination, Family family, std::string_view what) {
    const DestinationKey& key = destination.key;
    Finding finding;
    finding.family = family;
    finding.group = fmt::format("{} {} {}", what, key.endpoint.to_string(), key.netns);
    finding.confirmed = true;
    finding.scope = {model::ScopeKind::destination, std::nullopt, {key.endpoint.to_string()}};
    finding.members = {key};
    finding.destination = destination.ref();
    return finding;
}

void note(Finding& finding, const Scene& scene, std::string signal, double value, std::string text) {
    finding.evidence.push_back({std::move(signal), value, std::move(text), scene.anchor.utc(scene.now)});
}

void rule_out(Finding& finding, model::FailureType type, std::string because) {
    finding.ruled_out.push_back({type, std::move(because)});
}

}  // namespace netwatch::diagnosis
