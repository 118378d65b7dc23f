// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/destinations.h"

#include <algorithm>

namespace netwatch::diagnosis {
namespace {

constexpr std::size_t ports_remembered = 64;

AddressKey address_key(const DestinationKey& key) { return {key.endpoint.ip, key.netns}; }

}  // namespace

void Address::note_answer(std::uint16_t port, core::BootNs at) {
    auto slot = std::ranges::find(answers, port, &Answer::port);
    if (slot == answers.end()) slot = std::ranges::min_element(answers, {}, &Answer::at);
    *slot = {port, std::max(at, slot->port == port ? slot->at : 0)};
}

core::BootNs Address::last_answer_at() const {
    return std::ranges::max_element(answers, {}, &Answer::at)->at;
}

std::size_t DestinationHash::operator()(const DestinationKey& key) const noexcept {
    return std::hash<model::Endpoint>{}(key.endpoint) * 31 + std::size_t{key.netns} * 2 +
           static_cast<std::size_t>(key.perspective);
}

std::size_t AddressHash::operator()(const AddressKey& key) const noexcept {
    return std::hash<model::IpAddress>{}(key.ip) * 31 + key.netns;
}

Destination* Destinations::obtain(const DestinationKey& key, core::BootNs now) {
    auto found = destinations_.find(key);
    if (found == destinations_.end()) {
        if (destinations_.size() >= capacity_) {
            ++evicted_;
            return nullptr;
        }
        found = destinations_.emplace(key, Destination{}).first;
        found->second.key = key;
        found->second.first_seen = now;
        auto& ports = address_of(key).ports;
        if (ports.size() < ports_remembered) ports.insert(key.endpoint.port);
    }
    Destination& destination = found->second;
    destination.last_active = std::max(destination.last_active, now);
    if (!destination.detail && full_ < full_capacity_) {
        destination.detail = std::make_unique<Detail>();
        ++full_;
    }
    return &destination;
}

Destination* Destinations::find(const DestinationKey& key) {
    const auto found = destinations_.find(key);
    return found == destinations_.end() ? nullptr : &found->second;
}

const Destination* Destinations::find(const DestinationKey& key) const {
    const auto found = destinations_.find(key);
    return found == destinations_.end() ? nullptr : &found->second;
}

Address& Destinations::address_of(const DestinationKey& key) { return addresses_[address_key(key)]; }

const Address* Destinations::find_address(const AddressKey& key) const {
    const auto found = addresses_.find(key);
    return found == addresses_.end() ? nullptr : &found->second;
}

void Destinations::note_answer(const DestinationKey& key, core::BootNs at) {
    address_of(key).note_answer(key.endpoint.port, at);
    const model::Prefix block = model::Prefix::sibling_block(key.endpoint.ip);
    if (siblings_.size() >= blocks_kept && !siblings_.contains(block)) siblings_.clear();
    Siblings& siblings = siblings_[block];
    const AddressKey address = address_key(key);
    auto slot = std::ranges::find(siblings, address, &Sibling::address);
    if (slot == siblings.end()) slot = std::ranges::min_element(siblings, {}, &Sibling::at);
    *slot = {address, std::max(at, slot->address == address ? slot->at : 0)};
}

std::vector<model::IpAddress> Destinations::answering_siblings(const AddressKey& key,
                                                               core::BootNs since) const {
    std::vector<model::IpAddress> answering;
    const auto found = siblings_.find(model::Prefix::sibling_block(key.ip));
    if (found == siblings_.end()) return answering;
    for (const Sibling& sibling : found->second) {
        const bool same_net = sibling.address.netns == key.netns;
        if (sibling.at != 0 && sibling.at >= since && same_net && sibling.address.ip != key.ip) {
            answering.push_back(sibling.address.ip);
        }
    }
    std::ranges::sort(answering);
    return answering;
}

void Destinations::evict(const std::vector<const Destination*>& victims) {
    for (const Destination* victim : victims) {
        const DestinationKey key = victim->key;
        if (victim->detail) --full_;
        const auto address = addresses_.find(address_key(key));
        if (address != addresses_.end()) {
            address->second.ports.erase(key.endpoint.port);
            if (address->second.ports.empty()) addresses_.erase(address);
        }
        destinations_.erase(key);
        ++evicted_;
    }
}

void Destinations::forget_clients(core::BootNs idle_since) {
    std::erase_if(addresses_, [&](const auto& entry) {
        const Address& address = entry.second;
        return address.ports.empty() && (!address.quality || address.quality->last_active() < idle_since);
    });
    if (addresses_.size() <= 2 * capacity_) return;
    std::erase_if(addresses_, [](const auto& entry) { return entry.second.ports.empty(); });
}

void Destinations::demote(core::BootNs idle_since) {
    for (auto& [key, destination] : destinations_) {
        if (!destination.detail || destination.run || destination.last_active >= idle_since) continue;
        destination.detail.reset();
        --full_;
    }
}

}  // namespace netwatch::diagnosis
