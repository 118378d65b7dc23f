// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/destinations.h"

#include <algorithm>

namespace netwatch::diagnosis {
namespace {

constexpr std::size_t ports_remembered = 64;

AddressKey address_key(const DestinationKey& key) { return {key.endpoint.ip, key.netns}; }

// Takes the place of the oldest where there is none of the address.
void put_answer(auto& slots, const AddressKey& address, core::BootNs at) {
    auto* oldest = &slots.front();
    for (auto& one : slots) {
        if (one.address == address) {
            one.at = std::max(at, one.at);
            return;
        }
        if (one.at < oldest->at) oldest = &one;
    }
    *oldest = {address, at};
}

}  // namespace

void Address::note_answer(std::uint16_t port, core::BootNs at) {
    auto slot = static_cast<std::size_t>(std::ranges::find(answered_ports_, port) - answered_ports_.begin());
    const bool known = slot < answers_kept;
    if (!known)
        slot = static_cast<std::size_t>(std::ranges::min_element(answered_at_) - answered_at_.begin());
    answered_at_[slot] = known ? std::max(at, answered_at_[slot]) : at;
    answered_ports_[slot] = port;
}

std::array<Address::Answer, Address::answers_kept> Address::answers() const {
    std::array<Answer, answers_kept> answers{};
    for (std::size_t i = 0; i < answers_kept; ++i) answers[i] = {answered_ports_[i], answered_at_[i]};
    return answers;
}

core::BootNs Address::last_answer_at() const { return std::ranges::max(answered_at_); }

void Address::add_port(std::uint16_t port) {
    const auto at = std::ranges::lower_bound(ports, port);
    if (ports.size() < ports_remembered && (at == ports.end() || *at != port)) ports.insert(at, port);
}

void Address::remove_port(std::uint16_t port) { std::erase(ports, char16_t{port}); }

std::size_t DestinationHash::operator()(const DestinationKey& key) const noexcept {
    return std::hash<model::Endpoint>{}(key.endpoint) * 31 + std::size_t{key.netns} * 2 +
           static_cast<std::size_t>(key.perspective);
}

std::size_t AddressHash::operator()(const AddressKey& key) const noexcept {
    return std::hash<model::IpAddress>{}(key.ip) * 31 + key.netns;
}

Destination* Destinations::obtain(const DestinationKey& key, core::BootNs now) {
    Destination* known = find(key);
    if (known == nullptr) {
        if (destinations_.size() >= capacity_) {
            ++evicted_;
            return nullptr;
        }
        known = &destinations_.emplace(key, Destination{}).first->second;
        known->key = key;
        known->first_seen = now;
        address_of(key).add_port(key.endpoint.port);
    }
    Destination& destination = *known;
    destination.last_active = std::max(destination.last_active, now);
    if (!destination.detail && full_ < full_capacity_) {
        destination.detail = std::make_unique<Detail>();
        ++full_;
    }
    return &destination;
}

// One record asks for the same one several times.
Destination* Destinations::find(const DestinationKey& key) {
    if (last_found_ != nullptr && last_found_->key == key) return last_found_;
    const auto found = destinations_.find(key);
    if (found == destinations_.end()) return nullptr;
    last_found_ = &found->second;
    return last_found_;
}

const Destination* Destinations::find(const DestinationKey& key) const {
    const auto found = destinations_.find(key);
    return found == destinations_.end() ? nullptr : &found->second;
}

Address& Destinations::address_of(const DestinationKey& key) {
    const AddressKey address = address_key(key);
    if (last_where_.address == nullptr || last_where_.key != address)
        last_where_ = {.key = address, .address = &addresses_[address]};
    return *last_where_.address;
}

const Address* Destinations::find_address(const AddressKey& key) const {
    const auto found = addresses_.find(key);
    return found == addresses_.end() ? nullptr : &found->second;
}

Siblings& Destinations::siblings_of(Address& address, const model::IpAddress& ip) {
    if (address.siblings != nullptr) return *address.siblings;
    const model::Prefix block = model::Prefix::sibling_block(ip);
    if (siblings_.size() >= blocks_kept && !siblings_.contains(block)) {
        siblings_.clear();
        for (auto& [key, one] : addresses_) one.siblings = nullptr;
    }
    address.siblings = &siblings_[block];
    return *address.siblings;
}

void Destinations::note_answer(const DestinationKey& key, core::BootNs at) {
    Address& address = address_of(key);
    address.note_answer(key.endpoint.port, at);
    put_answer(siblings_of(address, key.endpoint.ip), address_key(key), at);
    put_answer(latest_, address_key(key), at);
}

bool Destinations::answered_elsewhere(const AddressKey& key, core::BootNs since) const {
    return std::ranges::any_of(latest_,
                               [&](const Sibling& one) { return one.address != key && one.at >= since; });
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
    last_found_ = nullptr;
    last_where_ = {};
    for (const Destination* victim : victims) {
        const DestinationKey key = victim->key;
        if (victim->detail) --full_;
        const auto address = addresses_.find(address_key(key));
        if (address != addresses_.end()) {
            address->second.remove_port(key.endpoint.port);
            if (address->second.ports.empty()) {
                if (address->second.quality) --paths_;
                addresses_.erase(address);
            }
        }
        destinations_.erase(key);
        ++evicted_;
    }
}

PathQuality* Destinations::quality_of(Address& address, const FlowDelta& delta) {
    if (!address.quality && (paths_ < full_capacity_ || delta.eventful())) {
        address.quality = std::make_unique<PathQuality>();
        ++paths_;
    }
    return address.quality.get();
}

void Destinations::forget_sound_paths(core::BootNs idle_since) {
    for (auto& [key, address] : addresses_) {
        if (!address.quality || !address.quality->uneventful(idle_since)) continue;
        address.quality.reset();
        --paths_;
    }
}

void Destinations::forget_clients(core::BootNs idle_since) {
    last_where_ = {};
    const auto forget = [this](auto&& which) {
        std::erase_if(addresses_, [&](const auto& entry) {
            const bool gone = entry.second.ports.empty() && which(entry.second);
            if (gone && entry.second.quality) --paths_;
            return gone;
        });
    };
    forget([&](const Address& address) {
        return !address.quality || address.quality->last_active() < idle_since;
    });
    if (addresses_.size() > 2 * capacity_) forget([](const Address&) { return true; });
}

void Destinations::demote(core::BootNs idle_since) {
    for (auto& [key, destination] : destinations_) {
        if (!destination.detail || destination.run || destination.last_active >= idle_since) continue;
        destination.detail.reset();
        --full_;
    }
}

}  // namespace netwatch::diagnosis
