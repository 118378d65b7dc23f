// SPDX-License-Identifier: Apache-2.0
// Who answers SYNs with RST: the host, whose port is closed, or a box on the way. Told by the TTL (hop limit)
// of the RSTs against that of the SYN-ACKs of the same port, else of the same address; by RSTs that come
// sooner than the host can answer; and by the IPv4 identification, which alone never decides. Pure.
#pragma once

#include <cstdint>

#include "diagnosis/finding.h"
#include "diagnosis/leaf.h"

namespace netwatch::diagnosis {

enum class Refuser : std::uint8_t {
    unknown,  // nothing to compare with
    host,
    likely_box,   // or the host itself, before what the port leads to
    perhaps_box,  // something differs that may differ for another reason
    box,
};

[[nodiscard]] Refuser refuser_of(const Scene& scene, const Leaf& leaf);

// The evidence behind that.
void note_refuser(Finding& finding, const Scene& scene, const Leaf& leaf);

}  // namespace netwatch::diagnosis
