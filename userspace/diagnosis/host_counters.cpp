// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/host_counters.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/counters.h"
#include "model/record.h"

namespace netwatch::diagnosis {
namespace {

constexpr std::uint64_t remembered_ns = 120 * core::ns_per_s;
constexpr std::size_t series_kept = 32'768;
constexpr std::size_t interfaces_kept = 4'096;
constexpr std::size_t sources_kept = 64;
constexpr std::size_t namespaces_kept = 1'024;
constexpr std::size_t points_kept = 512;
// CLOCK records come five times a second at least.
constexpr std::uint64_t late_ns = 3 * core::ns_per_s / 2;
constexpr std::uint64_t doubtful_ns = 5 * core::ns_per_s;
constexpr double starved_share = 0.2;
constexpr double ticks_per_s = 100;  // USER_HZ

}  // namespace

void CounterSeries::add(core::BootNs at, std::uint64_t value) {
    // A counter that begins anew has a new beginning, not a growth.
    if (!points_.empty() && value == points_.back().value) return;
    if (!points_.empty() && at < points_.back().at) return;
    points_.push_back({at, value});
    // The one that stood at the edge of what is remembered is what growth is measured against.
    while (points_.size() > 2 && (points_[1].at + remembered_ns < at || points_.size() > points_kept))
        points_.erase(points_.begin());
}

std::uint64_t CounterSeries::grown(core::BootNs since) const {
    std::uint64_t sum = 0;
    for (std::size_t i = points_.size(); i > 1 && points_[i - 1].at > since; --i) {
        if (points_[i - 1].value > points_[i - 2].value) sum += points_[i - 1].value - points_[i - 2].value;
    }
    return sum;
}

std::size_t CounterSeries::looks_grown(core::BootNs since) const {
    std::size_t looks = 0;
    for (std::size_t i = points_.size(); i > 1 && points_[i - 1].at > since; --i) {
        if (points_[i - 1].value > points_[i - 2].value) ++looks;
    }
    return looks;
}

core::BootNs CounterSeries::first_growth(core::BootNs since) const {
    for (std::size_t i = 1; i < points_.size(); ++i) {
        if (points_[i].at > since && points_[i].value > points_[i - 1].value) return points_[i].at;
    }
    return 0;
}

std::uint64_t HostCounters::Interface::grown(std::uint32_t counter, core::BootNs since) const {
    const auto found = counters.find(counter);
    return found == counters.end() ? 0 : found->second.grown(since);
}

std::size_t HostCounters::Interface::looks_grown(std::uint32_t counter, core::BootNs since) const {
    const auto found = counters.find(counter);
    return found == counters.end() ? 0 : found->second.looks_grown(since);
}

void HostCounters::add(const netwatch_counter& record) {
    const std::pair key{record.header.netns, record.counter};
    if (counters_.size() >= series_kept && !counters_.contains(key)) counters_.clear();
    CounterSeries& series = counters_[key];
    if (model::counter_words(record.counter).empty()) series = {};  // it has no growth that matters
    series.add(record.header.at_ns, record.value);
}

void HostCounters::add(const netwatch_interface_counter& record) {
    const std::pair key{record.header.netns, record.ifindex};
    if (interfaces_.size() >= interfaces_kept && !interfaces_.contains(key)) interfaces_.clear();
    Interface& interface = interfaces_[key];
    std::string name = model::text_of(record.name);
    if (interface.name != name) interface = {std::move(name), {}};  // another one by the old number
    if (!model::counter_words(record.counter).empty())
        interface.counters[record.counter].add(record.header.at_ns, record.value);
}

void HostCounters::add(const netwatch_counter_source& record) {
    if (sources_.size() < sources_kept || sources_.contains(record.source)) sources_[record.source] = record;
}

void HostCounters::add(const netwatch_clock& record) {
    const core::BootNs at = record.header.at_ns;
    if (last_clock_ != 0 && at > last_clock_ + late_ns) {
        late_at_ = at;
        late_ns_ = at - last_clock_;
    }
    last_clock_ = std::max<core::BootNs>(last_clock_, at);
}

void HostCounters::note_retried(std::uint32_t netns, core::BootNs at) {
    if (retried_.size() >= namespaces_kept && !retried_.contains(netns)) retried_.clear();
    const auto [series, is_new] = retried_.try_emplace(netns);
    if (is_new) series->second.add(0, 0);
    series->second.add(at, series->second.value() + 1);
}

const CounterSeries* HostCounters::retried(std::uint32_t netns) const {
    const auto found = retried_.find(netns);
    return found == retried_.end() ? nullptr : &found->second;
}

const CounterSeries* HostCounters::find(std::uint32_t netns, std::uint32_t counter) const {
    const auto found = counters_.find({netns, counter});
    return found == counters_.end() ? nullptr : &found->second;
}

std::optional<std::uint64_t> HostCounters::value(std::uint32_t netns, std::uint32_t counter) const {
    const CounterSeries* series = find(netns, counter);
    return series == nullptr ? std::nullopt : std::optional(series->value());
}

std::uint64_t HostCounters::grown(std::uint32_t netns, std::uint32_t counter, core::BootNs since) const {
    const CounterSeries* series = find(netns, counter);
    return series == nullptr ? 0 : series->grown(since);
}

std::size_t HostCounters::looks_grown(std::uint32_t netns, std::uint32_t counter, core::BootNs since) const {
    const CounterSeries* series = find(netns, counter);
    return series == nullptr ? 0 : series->looks_grown(since);
}

std::vector<std::uint32_t> HostCounters::namespaces_with(std::uint32_t counter) const {
    std::vector<std::uint32_t> found;
    for (const auto& [key, series] : counters_) {
        if (key.second == counter) found.push_back(key.first);
    }
    return found;
}

std::optional<std::string> HostCounters::starvation(core::BootNs now) const {
    if (late_at_ != 0 && late_at_ + doubtful_ns > now) {
        return fmt::format("the agent itself stood still for {}", core::to_duration(late_ns_));
    }
    const core::BootNs since = now - std::min(now, doubtful_ns);
    const double span_s = static_cast<double>(doubtful_ns) / static_cast<double>(core::ns_per_s);
    const auto cpus =
        static_cast<double>(std::max<std::uint64_t>(value(0, NETWATCH_COUNTER_CPUS).value_or(1), 1));
    const double steal =
        static_cast<double>(grown(0, NETWATCH_COUNTER_STEAL_TICKS, since)) / (ticks_per_s * cpus * span_s);
    if (steal >= starved_share) {
        return fmt::format("the hypervisor took {:.0f} % of this host's CPU time away", 100 * steal);
    }
    const double stalled =
        static_cast<double>(grown(0, NETWATCH_COUNTER_MEMORY_STALLED_US, since)) / (1e6 * span_s);
    if (stalled >= starved_share) {
        return fmt::format("all tasks of this host waited for memory {:.0f} % of the time",
                           100 * std::min(stalled, 1.0));
    }
    return std::nullopt;
}

}  // namespace netwatch::diagnosis
