// SPDX-License-Identifier: Apache-2.0
#include "forwarder.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <limits>
#include <sstream>

namespace netwatch::lab {
namespace {

constexpr std::size_t most_waiting = 65536;
constexpr std::size_t largest_packet = 65536;
constexpr std::array<const char*, 2> names = {"forth", "back"};

std::uint64_t to_ns(double ms) { return static_cast<std::uint64_t>(std::llround(ms * 1e6)); }

std::string to_json(const Counts& counts) {
    std::ostringstream out;
    out << "{\"seen\": " << counts.seen << ", \"lost\": " << counts.lost
        << ", \"lost_data\": " << counts.lost_data << ", \"reordered\": " << counts.reordered
        << ", \"duplicated\": " << counts.duplicated << ", \"corrupted\": " << counts.corrupted
        << ", \"corrupted_data\": " << counts.corrupted_data << ", \"reset\": " << counts.reset
        << ", \"refused\": " << counts.refused << "}";
    return out.str();
}

}  // namespace

Forwarder::Forwarder(int tun_fd, const Path& path, std::uint64_t now_ns, std::FILE* events)
    : tun_fd_(tun_fd),
      path_(path),
      dice_{Dice(path.impairments[forth], 2 * path.seed), Dice(path.impairments[back], 2 * path.seed + 1)},
      began_ns_(now_ns),
      events_(events) {}

void Forwarder::take(std::uint64_t now_ns) {
    Bytes buffer(largest_packet);
    for (;;) {
        const auto length = ::read(tun_fd_, buffer.data(), buffer.size());
        if (length <= 0) return;  // nothing more
        auto packet = Packet::of(Bytes(buffer.begin(), buffer.begin() + length));
        if (packet && !packet->multicast()) pass(std::move(*packet), now_ns);
    }
}

void Forwarder::pass(Packet packet, std::uint64_t now_ns) {
    const bool homeward = std::ranges::any_of(
        path_.home, [&](const Prefix& home) { return home.holds(packet.family(), packet.destination()); });
    const Direction direction = homeward ? back : forth;
    const Impairment& impairment = path_.impairments[direction];
    Counts& counts = counts_[direction];
    Fate fate = dice_[direction].next(static_cast<double>(now_ns - began_ns_) / 1e9);
    if (!impairment.with_text.empty() && !packet.carries(impairment.with_text))
        fate.lost = fate.reset = false;
    ++counts.seen;
    if (fate.lost) {
        ++counts.lost;
        if (packet.takes_sequence()) ++counts.lost_data;
        return note(now_ns, direction, "lost", packet);
    }
    if (fate.reset && packet.tcp_data() > 0) return reset(packet, direction, fate, now_ns);

    packet.set_ttl(impairment.ttl > 0 ? impairment.ttl : packet.ttl() + 1);
    if (fate.corrupted) {
        ++counts.corrupted;
        if (packet.takes_sequence()) ++counts.corrupted_data;
        note(now_ns, direction, "corrupted", packet);
        packet.flip(fate.which_bit);
    }
    std::uint64_t due_ns = std::max(now_ns + to_ns(fate.delay_ms), last_due_ns_[direction]);
    if (fate.reordered) {
        ++counts.reordered;
        note(now_ns, direction, "reordered", packet);
        due_ns += to_ns(impairment.reorder_ms);
    } else {
        last_due_ns_[direction] = due_ns;
    }
    queue(packet, direction, due_ns);
    if (fate.duplicated) {
        ++counts.duplicated;
        note(now_ns, direction, "duplicated", packet);
        queue(packet, direction, due_ns);
    }
}

void Forwarder::reset(const Packet& packet, Direction direction, const Fate& fate, std::uint64_t now_ns) {
    ++counts_[direction].reset;
    note(now_ns, direction, "reset", packet);
    const int ttl = path_.impairments[direction].reset_ttl + 1;  // the kernel takes one when it routes it on
    const std::uint64_t due_ns = now_ns + to_ns(fate.delay_ms);
    queue(packet.reset(false, ttl), direction, due_ns);
    queue(packet.reset(true, ttl), direction == forth ? back : forth, due_ns);
}

void Forwarder::queue(const Packet& packet, Direction direction, std::uint64_t due_ns) {
    if (waiting_.size() < most_waiting)
        waiting_.push({due_ns, order_++, direction, packet.bytes()});
    else
        ++counts_[direction].refused;
}

void Forwarder::give(std::uint64_t now_ns, bool all) {
    while (!waiting_.empty() && (all || waiting_.top().due_ns <= now_ns)) {
        const Waiting& next = waiting_.top();
        ssize_t written = 0;
        do written = ::write(tun_fd_, next.bytes.data(), next.bytes.size());
        while (written < 0 && errno == EINTR);
        if (written < 0) ++counts_[next.direction].refused;
        if (!all) {
            const auto late_ns = now_ns - next.due_ns;
            late_sum_ns_ += late_ns;
            late_max_ns_ = std::max(late_max_ns_, late_ns);
            ++given_;
        }
        waiting_.pop();
    }
}

std::uint64_t Forwarder::next_due_ns() const {
    return waiting_.empty() ? std::numeric_limits<std::uint64_t>::max() : waiting_.top().due_ns;
}

std::string Forwarder::counts() const {
    const double mean_ns = given_ > 0 ? static_cast<double>(late_sum_ns_) / static_cast<double>(given_) : 0;
    std::ostringstream out;
    out << "{\"forth\": " << to_json(counts_[forth]) << ", \"back\": " << to_json(counts_[back])
        << ", \"late_us\": {\"mean\": " << mean_ns / 1e3
        << ", \"max\": " << static_cast<double>(late_max_ns_) / 1e3 << "}}";
    return out.str();
}

void Forwarder::note(std::uint64_t now_ns, Direction direction, const char* what, const Packet& packet) {
    if (events_ == nullptr) return;
    std::fprintf(events_,
                 R"({"at_s": %.6f, "direction": "%s", "what": "%s", "bytes": %zu, "tcp_data": %zu})"
                 "\n",
                 static_cast<double>(now_ns - began_ns_) / 1e9, names[direction], what, packet.bytes().size(),
                 packet.tcp_data());
}

}  // namespace netwatch::lab
