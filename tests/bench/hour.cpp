// SPDX-License-Identifier: Apache-2.0
// Writes a recording as long as one likes, of short connections to 200 destinations, one of which refuses for
// two minutes in the middle: what `report`, `replay` and `export` have to get through.
//
//     netwatch_hour FILE SECONDS CONNECTIONS_PER_SECOND
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "model/record.h"
#include "recorder/recorder.h"

namespace {

using namespace netwatch;

constexpr std::uint64_t begins_ns = 100'000 * core::ns_per_s;
constexpr std::int64_t utc_ns = 1'763'800'000'000'000'000;
constexpr std::uint32_t netns = 4'026'531'840;
constexpr std::uint32_t destinations = 200;

template <typename R>
void append(std::vector<std::byte>& bytes, const R& record) {
    const auto more = model::bytes_of(record);
    bytes.insert(bytes.end(), more.begin(), more.end());
}

netwatch_tuple tuple_of(std::uint64_t sock) {
    netwatch_tuple tuple{};
    for (auto* ip : {tuple.local_ip, tuple.remote_ip}) {
        ip[10] = ip[11] = 0xff;
        ip[12] = 10;
    }
    tuple.local_ip[15] = 2;
    tuple.remote_ip[14] = static_cast<std::uint8_t>(sock % destinations);
    tuple.remote_ip[15] = 1;
    tuple.local_port = static_cast<std::uint16_t>(33'000 + sock % 27'000);
    tuple.remote_port = 443;
    tuple.family = 4;
    tuple.protocol = 6;
    return tuple;
}

void connect(std::vector<std::byte>& bytes, std::uint64_t sock, std::uint64_t at, bool refused) {
    netwatch_process process{};
    process.pid = static_cast<std::uint32_t>(2'000 + sock % 40);
    process.start_ns = process.pid;
    model::set_text(process.comm, "worker");
    auto attempt = model::make_record<netwatch_attempt>(at, netns);
    attempt.sock = sock;
    attempt.tuple = tuple_of(sock);
    append(bytes, attempt);
    auto connect = model::make_record<netwatch_connect>(at + 300'000, netns);
    connect.sock = sock;
    connect.start_ns = at;
    connect.tuple = attempt.tuple;
    connect.process = process;
    connect.outcome = refused ? NETWATCH_OUTCOME_FAILED : NETWATCH_OUTCOME_ESTABLISHED;
    connect.reset = refused ? 1 : 0;
    connect.error = refused ? ECONNREFUSED : 0;
    connect.rtt_us = refused ? NETWATCH_ABSENT_U32 : 250 + static_cast<std::uint32_t>(sock * 7 % 90);
    append(bytes, connect);
    if (refused) return;
    auto close = model::make_record<netwatch_close>(at + 2'000'000, netns);
    close.sock = sock;
    close.start_ns = at;
    close.tuple = attempt.tuple;
    close.process = process;
    close.old_state = 5;
    close.counters.bytes_sent = close.counters.bytes_acked = 400 + sock % 100;
    close.counters.bytes_received = 2'000 + sock % 900;
    close.counters.data_segs_out = close.counters.segs_out = close.counters.delivered = 1;
    close.counters.data_segs_in = close.counters.segs_in = 2;
    close.counters.srtt_us = connect.rtt_us << 3;
    append(bytes, close);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fputs("netwatch_hour FILE SECONDS CONNECTIONS_PER_SECOND\n", stderr);
        return 2;
    }
    const auto seconds = std::strtoull(argv[2], nullptr, 10);
    const auto rate = std::strtoull(argv[3], nullptr, 10);
    recorder::RecordingMeta meta;
    meta.agent_version = NETWATCH_VERSION;
    meta.began_at = core::to_rfc3339({utc_ns});
    auto recorder = recorder::Recorder::create(argv[1], meta, recorder::Recorder::For::segment);
    if (!recorder) return std::fprintf(stderr, "%s\n", recorder.error().message.c_str()), 1;
    recorder::SegmentStart start;
    start.run = meta.began_at;
    start.began_at = {utc_ns};
    const auto segment = recorder->add_segment(start);
    if (!segment) return 1;
    std::uint64_t sock = 0;
    for (std::uint64_t second = 0; second < seconds; ++second) {
        recorder::Batch batch;
        const std::uint64_t from = begins_ns + second * core::ns_per_s;
        const bool outage = second >= seconds / 2 && second < seconds / 2 + 120;
        for (std::uint64_t n = 0; n < rate; ++n, ++sock)
            connect(batch.records, sock, from + n * (core::ns_per_s / rate),
                    outage && sock % destinations == 7);
        batch.at = from + core::ns_per_s;
        batch.utc = {utc_ns + static_cast<std::int64_t>((second + 1) * core::ns_per_s)};
        auto clock = model::make_record<netwatch_clock>(batch.at);
        clock.realtime_ns = batch.utc.ns;
        append(batch.records, clock);
        if (!recorder->write(*segment, batch)) return 1;
    }
}
