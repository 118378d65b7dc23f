// SPDX-License-Identifier: Apache-2.0
// Takes packets out of a TUN device, does to them what the dice say, and puts them back, each at its time.
//
// The kernel routes into the device what shall pass here, and routes on what comes out of it. One hop more is
// not to be seen: what the kernel takes from the TTL on the way in is given back.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <queue>
#include <string>
#include <vector>

#include "impairment.h"
#include "packet.h"

namespace netwatch::lab {

enum Direction : std::uint8_t { forth, back };

struct Path {
    std::array<Impairment, 2> impairments;  // by Direction
    std::vector<Prefix> home;               // what goes there is on its way back
    std::uint64_t seed = 0;
};

// All of one direction. Of `seen` packets, `lost`, `reset` and `refused` did not come out.
struct Counts {
    std::uint64_t seen = 0;
    std::uint64_t lost = 0;
    std::uint64_t lost_data = 0;  // of these: segments that their sender has to send again
    std::uint64_t reordered = 0;
    std::uint64_t duplicated = 0;
    std::uint64_t corrupted = 0;
    std::uint64_t corrupted_data = 0;  // as lost_data
    std::uint64_t reset = 0;
    std::uint64_t refused = 0;  // the device, or the queue of those that wait, took no more
};

class Forwarder {
public:
    // `events` may be null; else one JSON line for each packet that fared ill.
    Forwarder(int tun_fd, const Path& path, std::uint64_t now_ns, std::FILE* events);

    // Reads all that has come.
    void take(std::uint64_t now_ns);
    // Writes all that is due; when `all`, whatever waits.
    void give(std::uint64_t now_ns, bool all = false);
    // When the next one is due; UINT64_MAX: none waits.
    [[nodiscard]] std::uint64_t next_due_ns() const;
    // The counts as one line of JSON.
    [[nodiscard]] std::string counts() const;

private:
    struct Waiting {
        std::uint64_t due_ns;
        std::uint64_t order;
        Direction direction;
        Bytes bytes;
        bool operator>(const Waiting& other) const {
            return due_ns != other.due_ns ? due_ns > other.due_ns : order > other.order;
        }
    };

    void pass(Packet packet, std::uint64_t now_ns);
    void reset(const Packet& packet, Direction direction, const Fate& fate, std::uint64_t now_ns);
    void queue(const Packet& packet, Direction direction, std::uint64_t due_ns);
    void note(std::uint64_t now_ns, Direction direction, const char* what, const Packet& packet);

    int tun_fd_;
    Path path_;
    std::array<Dice, 2> dice_;
    std::array<Counts, 2> counts_;
    std::array<std::uint64_t, 2> last_due_ns_{};  // nobody overtakes but where reordering is asked for
    std::priority_queue<Waiting, std::vector<Waiting>, std::greater<>> waiting_;
    std::uint64_t order_ = 0;
    std::uint64_t began_ns_;
    std::uint64_t late_sum_ns_ = 0, late_max_ns_ = 0,
                  given_ = 0;  // how far behind its time a packet was written
    std::FILE* events_;
};

}  // namespace netwatch::lab
