// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/process_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include "model/record.h"

namespace netwatch::diagnosis {

void Process::note_unanswered(std::size_t destination_hash, core::BootNs now) {
    auto known = std::ranges::find(touched_, destination_hash, &Touched::destination_hash);
    if (known == touched_.end()) known = std::ranges::min_element(touched_, {}, &Touched::at);
    *known = {destination_hash, now};
}

bool Process::scans(core::BootNs now) const {
    return std::ranges::all_of(touched_,
                               [now](const Touched& t) { return t.at != 0 && t.at + scan_window_ns >= now; });
}

std::string Process::label() const { return fmt::format("{}[{}]", comm, key.pid); }

Process* ProcessTable::touch(const netwatch_process& process, std::uint32_t netns, core::BootNs now) {
    if (process.pid == 0) return nullptr;
    const ProcessKey key{process.pid, process.start_ns};
    auto found = processes_.find(key);
    if (found == processes_.end()) {
        if (processes_.size() >= capacity) forget_oldest();
        found = processes_.emplace(key, Process{}).first;
        found->second.key = key;
        found->second.netns = netns;
    }
    Process& known = found->second;
    const std::string_view comm(process.comm, ::strnlen(process.comm, sizeof(process.comm)));
    if (known.comm != comm) known.comm = comm;
    known.cgroup_id = process.cgroup_id;
    known.last_seen = now;
    return &known;
}

const Process* ProcessTable::find(const ProcessKey& key) const {
    const auto found = processes_.find(key);
    return found == processes_.end() ? nullptr : &found->second;
}

void ProcessTable::forget_oldest() {
    std::vector<core::BootNs> seen;
    seen.reserve(processes_.size());
    for (const auto& [key, process] : processes_) seen.push_back(process.last_seen);
    const auto cut = seen.begin() + static_cast<std::ptrdiff_t>(seen.size() / 8);
    std::ranges::nth_element(seen, cut);
    std::erase_if(processes_, [limit = *cut](const auto& entry) { return entry.second.last_seen <= limit; });
}

}  // namespace netwatch::diagnosis
