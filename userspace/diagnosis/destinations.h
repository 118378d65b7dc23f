// SPDX-License-Identifier: Apache-2.0
// All destinations, with the addresses and prefixes they lie in. Bounded: when full, those that never worked
// and were not heard of for longest go first, so that a port scan or a SYN flood does not push out what the
// host really uses. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "diagnosis/destination.h"
#include "diagnosis/full_arrivals.h"
#include "diagnosis/full_segments.h"
#include "diagnosis/path_quality.h"

namespace netwatch::diagnosis {

struct AddressKey {
    model::IpAddress ip;
    std::uint32_t netns = 0;  // as in DestinationKey
    auto operator<=>(const AddressKey&) const = default;
};

// Addresses of one block that answered last.
struct Sibling {
    AddressKey address;
    core::BootNs at = 0;
};
using Siblings = std::array<Sibling, 8>;

// One remote address: what its ports say together.
struct Address {
    struct Answer {
        std::uint16_t port = 0;
        core::BootNs at = 0;
    };
    static constexpr std::size_t answers_kept = 4;
    std::u16string
        ports;  // destinations at this address, sorted, at most 64; up to seven need no memory of their own
    std::unique_ptr<LocalDrops> inbound_drops;  // packets from it; null: none
    HopLimits hop_limits;                       // of the SYN-ACKs of all its ports
    std::unique_ptr<PathQuality> quality;
    std::unique_ptr<FullSegments> full_segments;  // only once some were not acknowledged
    std::unique_ptr<FullArrivals> full_arrivals;  // only once some arrived, or something behind a hole
    std::unique_ptr<DestinationKey> listener;  // the own one that this client last talked to; null for others
    Siblings* siblings = nullptr;              // of its block; null: not looked up

    void note_answer(std::uint16_t port, core::BootNs at);
    // The latest of four different ports: connections made, RSTs, data acknowledged.
    [[nodiscard]] std::array<Answer, answers_kept> answers() const;
    [[nodiscard]] core::BootNs last_answer_at() const;
    void add_port(std::uint16_t port);
    void remove_port(std::uint16_t port);

private:
    // Side by side: as pairs they would take a third more.
    std::array<std::uint16_t, answers_kept> answered_ports_{};
    std::array<core::BootNs, answers_kept> answered_at_{};
};

struct DestinationHash {
    std::size_t operator()(const DestinationKey& key) const noexcept;
};
struct AddressHash {
    std::size_t operator()(const AddressKey& key) const noexcept;
};

class Destinations {
public:
    Destinations(std::size_t capacity, std::size_t full_capacity)
        : capacity_(capacity),
          full_capacity_(full_capacity) {}

    // Null when there is no room; counted.
    Destination* obtain(const DestinationKey& key, core::BootNs now);
    [[nodiscard]] Destination* find(const DestinationKey& key);
    [[nodiscard]] const Destination* find(const DestinationKey& key) const;
    [[nodiscard]] Address& address_of(const DestinationKey& key);
    [[nodiscard]] const Address* find_address(const AddressKey& key) const;
    // What is known of loss on the path to an address, made where there is none: for as many as there may be
    // full destinations, and beyond them where loss begins to show. Null otherwise.
    PathQuality* quality_of(Address& address, const FlowDelta& delta);

    // Something at this address answered.
    void note_answer(const DestinationKey& key, core::BootNs at);
    // The neighbours in its block that answered at or after `since`, the address itself left out.
    [[nodiscard]] std::vector<model::IpAddress> answering_siblings(const AddressKey& key,
                                                                   core::BootNs since) const;

    // Once a second: evicts what is beyond the limits; `keep` says which are needed by an incident.
    template <typename Keep>
    void housekeep(core::BootNs now, Keep&& keep);

    // Another address has answered at or after `since`.
    [[nodiscard]] bool answered_elsewhere(const AddressKey& key, core::BootNs since) const;

    [[nodiscard]] const auto& all() const { return destinations_; }
    [[nodiscard]] auto& addresses() { return addresses_; }
    [[nodiscard]] const auto& addresses() const { return addresses_; }
    [[nodiscard]] std::uint64_t evicted() const { return evicted_; }

private:
    static constexpr std::size_t blocks_kept = 16'384;

    Siblings& siblings_of(Address& address, const model::IpAddress& ip);
    void evict(const std::vector<const Destination*>& victims);
    void demote(core::BootNs idle_since);
    // Addresses of clients have no destination that goes with them.
    void forget_clients(core::BootNs idle_since);
    void forget_sound_paths(core::BootNs idle_since);

    std::size_t capacity_;
    std::size_t full_capacity_;
    std::size_t full_ = 0;
    std::size_t paths_ = 0;  // addresses with a PathQuality
    std::uint64_t evicted_ = 0;
    std::unordered_map<DestinationKey, Destination, DestinationHash> destinations_;
    Destination* last_found_ = nullptr;  // one of them
    struct Where {
        AddressKey key;
        Address* address = nullptr;
    };
    Where last_where_;  // one of the addresses
    std::unordered_map<AddressKey, Address, AddressHash> addresses_;
    std::unordered_map<model::Prefix, Siblings> siblings_;
    std::array<Sibling, 2> latest_{};  // addresses that answered last
};

template <typename Keep>
void Destinations::housekeep(core::BootNs now, Keep&& keep) {
    const core::BootNs idle_since = now - std::min<core::BootNs>(now, 60 * core::ns_per_s);
    if (full_ * 10 > full_capacity_ * 9) demote(idle_since);
    if (paths_ * 10 > full_capacity_ * 9) forget_sound_paths(idle_since);
    if (addresses_.size() > capacity_) forget_clients(idle_since);
    if (destinations_.size() * 10 <= capacity_ * 9) return;
    // Worth: worked before outranks never worked; then the latest use.
    std::vector<const Destination*> order;
    order.reserve(destinations_.size());
    for (const auto& [key, destination] : destinations_) {
        if (destination.flows == 0 && !keep(key)) order.push_back(&destination);
    }
    const std::size_t surplus = std::min(destinations_.size() - capacity_ * 8 / 10, order.size());
    std::ranges::sort(
        order, {}, [](const Destination* d) { return std::tuple(d->ever_worked(), d->last_active, d->key); });
    order.resize(surplus);
    evict(order);
}

}  // namespace netwatch::diagnosis
