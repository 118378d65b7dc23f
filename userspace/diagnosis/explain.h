// SPDX-License-Identifier: Apache-2.0
// Verdicts in words: one catalogue of what each cause means, whose it is and what to do next. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/incident.h"

namespace netwatch::diagnosis {

struct Words {
    std::string summary;    // one sentence that a person can act on
    std::string statement;  // the root cause
    model::OwnerHint owner = model::OwnerHint::unknown;
    std::vector<model::Advice> advice;
};

// The words for an incident whose type, candidates, scope, destination and offender are set.
[[nodiscard]] Words words_for(const model::Incident& incident);

// What the scope of an incident is called in a sentence: "10.4.7.21:443", "3 destinations in 10.88.0.0/24".
[[nodiscard]] std::string subject_of(const model::Incident& incident);

}  // namespace netwatch::diagnosis
