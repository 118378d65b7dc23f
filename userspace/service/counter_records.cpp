// SPDX-License-Identifier: Apache-2.0
#include "service/counter_records.h"

#include <utility>

#include "model/counters.h"
#include "model/record.h"

namespace netwatch::service {
namespace {

constexpr core::BootNs all_every_ns = 60 * core::ns_per_s;

template <typename R>
void append(std::vector<std::byte>& bytes, const R& record) {
    const auto more = model::bytes_of(record);
    bytes.insert(bytes.end(), more.begin(), more.end());
}

}  // namespace

std::vector<std::byte> CounterRecords::of(const context::CounterReadings& readings, core::BootNs at) {
    std::vector<std::byte> bytes;
    const bool all = !all_at_ || *all_at_ + all_every_ns <= at;
    if (all) all_at_ = at;
    std::map<Key, std::uint64_t> now;
    for (const auto& one : readings.values) {
        const Key key{one.netns, one.ifindex, one.counter};
        const auto before = last_.find(key);
        now[key] = one.value;
        if (!all && before != last_.end() && before->second == one.value) continue;
        if (one.ifindex == 0) {
            auto record = model::make_record<netwatch_counter>(at, one.netns);
            record.counter = one.counter;
            record.value = one.value;
            append(bytes, record);
            continue;
        }
        auto record = model::make_record<netwatch_interface_counter>(at, one.netns);
        record.counter = one.counter;
        record.value = one.value;
        record.ifindex = one.ifindex;
        model::set_text(record.name, readings.interfaces.at({one.netns, one.ifindex}));
        append(bytes, record);
    }
    last_ = std::move(now);
    for (const auto& source : model::counter_sources()) {
        const auto missing = readings.missing.find(source.number);
        const auto why = missing == readings.missing.end() ? std::nullopt : std::optional(missing->second);
        const auto known = sources_.find(source.number);
        if (!all && known != sources_.end() && known->second == why) continue;
        sources_[source.number] = why;
        auto record = model::make_record<netwatch_counter_source>(at);
        record.source = source.number;
        record.there = why ? 0 : 1;
        model::set_text(record.reason, why.value_or(""));
        append(bytes, record);
    }
    return bytes;
}

}  // namespace netwatch::service
