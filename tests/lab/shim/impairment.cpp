// SPDX-License-Identifier: Apache-2.0
#include "impairment.h"

#include <algorithm>

namespace netwatch::lab {

// In [0, 1) with 53 bits; std::uniform_real_distribution may differ between libraries.
double Dice::uniform() { return static_cast<double>(random_() >> 11U) * 0x1p-53; }

// Two states (E. N. Gilbert, 1960): in the bad one everything is lost. The share of packets in it is `loss`,
// its mean length `burst`; without bursts each packet stands for itself.
bool Dice::lose() {
    const double draw = uniform();
    const double loss = impairment_.loss;
    const double burst = impairment_.burst;
    if (burst <= 1 || loss >= 1) return draw < loss;
    losing_ = losing_ ? draw >= 1 / burst : draw < loss / (burst * (1 - loss));
    return losing_;
}

Fate Dice::next(double since_start_s) {
    const double grown = impairment_.ramp_s > 0 ? std::min(1.0, since_start_s / impairment_.ramp_s) : 1.0;
    Fate fate;
    fate.lost = lose();
    fate.reordered = uniform() < impairment_.reorder;
    fate.duplicated = uniform() < impairment_.duplicate;
    fate.corrupted = uniform() < impairment_.corrupt;
    fate.reset = uniform() < impairment_.reset;
    fate.which_bit = static_cast<std::uint32_t>(random_() >> 32U);
    const double jitter_ms = impairment_.jitter_ms * (2 * uniform() - 1);
    fate.delay_ms = std::max(0.0, grown * (impairment_.delay_ms + jitter_ms));
    return fate;
}

}  // namespace netwatch::lab
