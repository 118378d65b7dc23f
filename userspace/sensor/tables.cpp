// SPDX-License-Identifier: Apache-2.0
#include "sensor/tables.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <string_view>

#include "core/time.h"
#include "model/record.h"
#include "sensor/boot_clock.h"
#include "sensor/skeleton.h"

namespace netwatch::sensor {
namespace {

constexpr std::uint64_t idle_ns = 60 * core::ns_per_s;

// Which programs make a kind; one that makes several is named at the last of them.
const std::map<std::uint32_t, std::vector<std::string_view>>& makers() {
    static const std::map<std::uint32_t, std::vector<std::string_view>> programs = {
        {NETWATCH_RECORD_CLOSE, {"on_state"}},
        {NETWATCH_RECORD_RETRANSMIT, {"on_retransmit_result", "on_retransmit_sent"}},
        {NETWATCH_RECORD_SYNACK_RETRANSMIT, {"on_retransmit_synack"}},
        {NETWATCH_RECORD_RESET_RECEIVED, {"on_reset_received"}},
        {NETWATCH_RECORD_RESET_SENT, {"on_reset_sent_reason", "on_reset_sent"}},
        {NETWATCH_RECORD_SOCKET_ERROR, {"on_error_report"}},
        {NETWATCH_RECORD_CALL_FAILED,
         {"on_stream_connect", "on_dgram_connect", "on_connect_exit", "on_socket_exit", "on_accept_exit",
          "on_accept4_exit", "on_socket_return", "on_accept_return", "on_accept4_return"}},
        {NETWATCH_RECORD_NEIGHBOR, {"on_neighbor_update", "on_neighbor_timer"}},
        {NETWATCH_RECORD_ICMP_SENT, {"on_icmp_send"}},
        {NETWATCH_RECORD_DROPS, {"on_drop"}},
        {NETWATCH_RECORD_PAYLOAD, {"on_ingress", "on_egress"}},
    };
    return programs;
}

std::uint64_t runs_missed(const netwatch_bpf& skeleton, std::string_view name) {
    const bpf_program* program = bpf_object__find_program_by_name(skeleton.obj, name.data());
    const int fd = program ? bpf_program__fd(program) : -1;
    bpf_prog_info info{};
    __u32 size = sizeof info;
    if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) != 0) return 0;
    return info.recursion_misses;
}

// The kinds that programs make, those of the walk and the table of drops included.
enum class Maker : std::uint8_t { KERNEL, WALK, USER };

constexpr bool is_made_in_kernel(std::uint32_t kind) {
    switch (kind) {
#define NETWATCH_KIND(number, upper, lower, maker, text) \
    case number: return Maker::maker != Maker::USER || number == NETWATCH_RECORD_DROPS;
        NETWATCH_RECORD_KINDS(NETWATCH_KIND)
#undef NETWATCH_KIND
        default: return false;
    }
}

template <typename Value>
std::vector<Value> read_per_cpu(int map, std::uint32_t key) {
    static const int cpus = libbpf_num_possible_cpus();
    std::vector<Value> values(static_cast<std::size_t>(std::max(cpus, 1)));
    if (bpf_map_lookup_elem(map, &key, values.data()) != 0) values.clear();
    return values;
}

netwatch_drops make_drops(const netwatch_drop_key& key, const netwatch_drop_count& count,
                          std::uint64_t now_ns) {
    auto record = model::make_record<netwatch_drops>(now_ns, key.netns);
    std::ranges::copy(key.destination_ip, record.tuple.remote_ip);
    std::ranges::copy(count.source_ip, record.tuple.local_ip);
    record.tuple.remote_port = key.destination_port;
    record.tuple.protocol = key.protocol;
    record.tuple.family = key.family;
    record.packets = count.packets;
    record.reason = key.reason;
    return record;
}

}  // namespace

netwatch_account_counts AccountTable::sum(std::uint32_t kind) const {
    netwatch_account_counts total{};
    for (const auto& cpu :
         read_per_cpu<netwatch_account_counts>(bpf_map__fd(skeleton_.maps.accounts), kind)) {
        total.seen += cpu.seen;
        total.filtered += cpu.filtered;
        total.emitted += cpu.emitted;
        total.dropped_full += cpu.dropped_full;
        total.dropped_map += cpu.dropped_map;
    }
    return total;
}

std::uint64_t AccountTable::dropped_map(std::uint32_t kind) const { return sum(kind).dropped_map; }

void AccountTable::read(const RecordSink& on_record) const {
    for (std::uint32_t kind = 1; kind < NETWATCH_RECORD_KIND_COUNT; ++kind) {
        if (!is_made_in_kernel(kind)) continue;
        const auto counts = sum(kind);
        auto record = model::make_record<netwatch_account>(boot_now_ns());
        record.kind = kind;
        record.seen = counts.seen;
        record.filtered = counts.filtered;
        record.emitted = counts.emitted;
        record.dropped_full = counts.dropped_full;
        record.dropped_map = counts.dropped_map;
        if (const auto found = makers().find(kind); found != makers().end())
            for (const auto name : found->second) record.missed += runs_missed(skeleton_, name);
        on_record(model::bytes_of(record));
    }
}

bool DropTable::Less::operator()(const netwatch_drop_key& a, const netwatch_drop_key& b) const {
    return std::memcmp(&a, &b, sizeof a) < 0;
}

// All entries into keys_ and counts_, in batches; how many.
std::size_t DropTable::fetch() {
    const auto room = bpf_map__max_entries(skeleton_.maps.drops);
    keys_.resize(room);
    counts_.resize(room);
    const int map = bpf_map__fd(skeleton_.maps.drops);
    std::uint32_t position = 0;
    std::size_t fetched = 0;
    while (fetched < room) {
        auto count = static_cast<__u32>(room - fetched);
        const int error =
            bpf_map_lookup_batch(map, fetched ? &position : nullptr, &position, keys_.data() + fetched,
                                 counts_.data() + fetched, &count, nullptr);
        fetched += error == 0 || errno == ENOENT ? count : 0;
        if (error != 0) break;
    }
    return fetched;
}

void DropTable::read(const RecordSink& on_record) {
    const std::uint64_t now_ns = boot_now_ns();
    const std::size_t count = fetch();
    for (std::size_t i = 0; i < count; ++i) {
        Seen& seen = seen_[keys_[i]];
        if (seen.packets == counts_[i].packets) continue;
        seen = {counts_[i].packets, now_ns};
        on_record(model::bytes_of(make_drops(keys_[i], counts_[i], now_ns)));
    }
    if (count > keys_.size() / 2) forget_idle(now_ns);
    read_overflow(on_record, now_ns);
}

void DropTable::forget_idle(std::uint64_t now_ns) {
    const int map = bpf_map__fd(skeleton_.maps.drops);
    std::erase_if(seen_, [&](const auto& entry) {
        return now_ns - entry.second.moved_ns > idle_ns && bpf_map_delete_elem(map, &entry.first) == 0;
    });
}

void DropTable::read_overflow(const RecordSink& on_record, std::uint64_t now_ns) {
    if (AccountTable(skeleton_).dropped_map(NETWATCH_RECORD_DROPS) == 0) return;
    const int map = bpf_map__fd(skeleton_.maps.overflowed_drops);
    for (std::uint32_t reason = 0; reason < bpf_map__max_entries(skeleton_.maps.overflowed_drops); ++reason) {
        if (!skeleton_.rodata->interesting_drops[reason]) continue;
        const auto per_cpu = read_per_cpu<std::uint64_t>(map, reason);
        const auto packets = std::accumulate(per_cpu.begin(), per_cpu.end(), std::uint64_t{0});
        if (packets == overflowed_[reason]) continue;
        overflowed_[reason] = packets;
        auto record = model::make_record<netwatch_drops>(now_ns);
        record.packets = packets;
        record.reason = reason;
        on_record(model::bytes_of(record));
    }
}

}  // namespace netwatch::sensor
