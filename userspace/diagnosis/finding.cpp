// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/finding.h"

#include "diagnosis/scene.h"

namespace netwatch::diagnosis {

void note(Finding& finding, const Scene& scene, std::string signal, double value, std::string text) {
    finding.evidence.push_back({std::move(signal), value, std::move(text), scene.anchor.utc(scene.now)});
}

void rule_out(Finding& finding, model::FailureType type, std::string because) {
    finding.ruled_out.push_back({type, std::move(because)});
}

}  // namespace netwatch::diagnosis
