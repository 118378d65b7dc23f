// SPDX-License-Identifier: Apache-2.0
// One address of a name that fails while the others of that name answer on the same port: a dead member of
// what the name stands for, and so told. Pure.
#pragma once

#include "diagnosis/finding.h"
#include "diagnosis/leaf.h"

namespace netwatch::diagnosis {

// Renames a finding about `leaves` where that is what it is.
void tell_dead_address(const Scene& scene, const Leaves& leaves, Finding& finding);

}  // namespace netwatch::diagnosis
