// SPDX-License-Identifier: Apache-2.0
// What one direction of a path does to its packets, drawn from a seed.
//
//     Dice dice({.delay_ms = 40, .loss = 0.05}, seed);
//     const Fate fate = dice.next(since_start_s);
//
// Each packet takes the same number of draws whatever is switched on, so the fate of the n-th packet depends
// on the seed, the settings and n alone.
#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace netwatch::lab {

struct Impairment {
    double delay_ms = 0;
    double jitter_ms = 0;  // each packet's delay differs by up to that, evenly; never so that one overtakes
    double ramp_s = 0;     // delay and jitter grow from nothing within that time
    double loss = 0;       // share, 0 to 1
    double burst = 1;      // mean length of a run of losses in packets; 1: independent (Gilbert's model)
    double reorder = 0;    // share that is held up by reorder_ms and overtaken meanwhile
    double reorder_ms = 0;
    double duplicate = 0;  // share that comes twice
    double corrupt = 0;    // share with one bit flipped behind the network header
    double reset =
        0;  // share of the TCP segments with data that are swallowed and answered with RST, to both ends
    int reset_ttl = 64;  // of those RST, as they leave here
    int ttl = 0;         // of all packets, as they leave here; 0: as it was
    std::string with_text =
        {};  // loss and resets are for TCP segments whose data has this in it; empty: for all
};

struct Fate {
    bool lost = false;
    bool reordered = false;
    bool duplicated = false;
    bool corrupted = false;
    bool reset = false;           // applies to TCP segments with data only
    std::uint32_t which_bit = 0;  // to flip, modulo the bits there are
    double delay_ms = 0;          // without what reordering adds
};

class Dice {
public:
    Dice(const Impairment& impairment, std::uint64_t seed) : impairment_(impairment), random_(seed) {}
    [[nodiscard]] Fate next(double since_start_s);

private:
    [[nodiscard]] double uniform();
    [[nodiscard]] bool lose();

    Impairment impairment_;
    std::mt19937_64 random_;
    bool losing_ = false;
};

}  // namespace netwatch::lab
