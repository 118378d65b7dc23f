// SPDX-License-Identifier: Apache-2.0
// Paths that lose packets: each for itself, or what they share. Pure.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "diagnosis/finding.h"
#include "diagnosis/scene.h"

namespace netwatch::diagnosis {

// Addresses whose path loses more than a healthy one.
[[nodiscard]] std::vector<Finding> judge_loss(const Scene& scene, const std::set<AddressKey>& suspects);

// The group of the finding of loss on the path to an address.
[[nodiscard]] std::string loss_group(const AddressKey& key);

}  // namespace netwatch::diagnosis
