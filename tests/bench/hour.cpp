// SPDX-License-Identifier: Apache-2.0
// A recording as long and as busy as it is asked for, made up: what an agent at one end of the connections
// would have written. In the middle one destination refuses for two minutes. Prints one JSON object: CPU time
// of writing it, and its size.
//
//     netwatch_hour DIRECTORY SECONDS RATE      RATE short connections a second to 100 destinations
#include <time.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "diagnosis/engine.h"
#include "model/record.h"
#include "recorder/recorder.h"
#include "recorder/segments.h"

namespace {

using namespace netwatch;

constexpr std::int64_t second_ns = static_cast<std::int64_t>(core::ns_per_s);
constexpr core::UtcNs begins{1'795'000'000 * second_ns};
constexpr core::BootNs boot_begins = 1'000 * core::ns_per_s;
constexpr std::int64_t segment_s = 600;
constexpr unsigned destinations = 100;
constexpr unsigned refusing = 7;
constexpr std::int64_t outage_s = 120;
// As an agent does it: a CLOCK each tenth of a second, a batch of three.
constexpr core::BootNs clock_span_ns = core::ns_per_s / 10;
constexpr unsigned clocks_a_batch = 3;

double cpu_s() {
    timespec now{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

class Host {
public:
    template <typename R>
    void emit(const R& record, std::vector<std::byte>& records) {
        const auto bytes = model::bytes_of(record);
        records.insert(records.end(), bytes.begin(), bytes.end());
        engine_.observe(record);
    }

    // One connection that begins then: three records, or two where it is refused.
    void connect(core::BootNs at, bool outage, std::vector<std::byte>& records) {
        auto attempt = model::make_record<netwatch_attempt>(at, 4026531840);
        attempt.sock = ++sock_;
        const auto destination = static_cast<std::uint32_t>(random_() % destinations);
        attempt.tuple = tuple(destination);
        const auto rtt_us = static_cast<std::uint32_t>(200 + random_() % 300);
        emit(attempt, records);
        auto connect = model::make_record<netwatch_connect>(at + rtt_us * 1'000, 4026531840);
        connect.sock = sock_;
        connect.start_ns = at;
        connect.tuple = attempt.tuple;
        connect.process = process(attempt.tuple);
        std::ranges::copy(attempt.tuple.remote_ip, connect.asked_ip);
        connect.asked_port = attempt.tuple.remote_port;
        connect.outcome = NETWATCH_OUTCOME_ESTABLISHED;
        connect.rtt_us = rtt_us;
        connect.syn_ack_look.hop_limit = 61;
        connect.syn_ack_look.ip_id = static_cast<std::uint16_t>(random_());
        if (outage && destination == refusing) {
            connect.outcome = NETWATCH_OUTCOME_FAILED;
            connect.error = ECONNREFUSED;
            connect.reset = 1;
            connect.rtt_us = NETWATCH_ABSENT_U32;
            connect.syn_ack_look = {};
            emit(connect, records);
            return;
        }
        emit(connect, records);
        auto close =
            model::make_record<netwatch_close>(connect.header.at_ns + random_() % 20'000'000, 4026531840);
        close.sock = sock_;
        close.start_ns = at;
        close.tuple = attempt.tuple;
        close.process = connect.process;
        close.syn_ack_look = connect.syn_ack_look;
        close.old_state = 9;
        auto& counters = close.counters;
        counters.bytes_sent = counters.bytes_acked = 200 + random_() % 800;
        counters.bytes_received = random_() % 20'000;
        counters.segs_out = static_cast<std::uint32_t>(6 + random_() % 10);
        counters.segs_in = static_cast<std::uint32_t>(5 + random_() % 12);
        counters.data_segs_out = counters.delivered = 1;
        counters.data_segs_in = static_cast<std::uint32_t>(1 + random_() % 12);
        counters.srtt_us = static_cast<std::uint32_t>(rtt_us + random_() % 100);
        counters.rttvar_us = static_cast<std::uint32_t>(random_() % 100);
        counters.min_rtt_us = rtt_us;
        counters.snd_cwnd = 10;
        counters.snd_wnd = counters.rcv_wnd = 65'536;
        counters.mss_bytes = counters.pmtu_bytes = 1'448;
        counters.rto_jiffies = 51;
        counters.total_rto = counters.holes_resent = counters.segments_twice = NETWATCH_ABSENT_U32;
        counters.sack_ok = 1;
        counters.state = 9;
        emit(close, records);
    }

    void clock(core::BootNs at, core::UtcNs utc, std::vector<std::byte>& records) {
        auto clock = model::make_record<netwatch_clock>(at);
        clock.realtime_ns = utc.ns;
        emit(clock, records);
    }
    [[nodiscard]] diagnosis::Past past() { return engine_.take_past(); }

private:
    netwatch_tuple tuple(std::uint32_t destination) {
        netwatch_tuple made{};
        const auto local = model::IpAddress::parse("10.0.0.7")->bytes();
        auto remote = model::IpAddress::parse("10.4.0.0")->bytes();
        remote[14] = static_cast<std::uint8_t>(destination / 20);
        remote[15] = static_cast<std::uint8_t>(1 + destination % 20);
        std::ranges::copy(local, made.local_ip);
        std::ranges::copy(remote, made.remote_ip);
        made.local_port = static_cast<std::uint16_t>(32'768 + random_() % 28'000);
        made.remote_port = static_cast<std::uint16_t>(443 + destination % 3);
        made.family = 4;
        made.protocol = 6;
        return made;
    }
    static netwatch_process process(const netwatch_tuple& tuple) {
        netwatch_process made{
            .start_ns = 77, .cgroup_id = 5, .pid = 2'000U + tuple.remote_ip[15], .uid = 1'000, .comm = {}};
        model::set_text(made.comm, "service-" + std::to_string(tuple.remote_ip[15]));
        return made;
    }

    std::mt19937_64 random_{7};
    std::uint64_t sock_ = 0;
    diagnosis::Engine engine_;
};

recorder::Recorder new_segment(const std::filesystem::path& directory, std::int64_t number,
                               std::int64_t& id) {
    recorder::RecordingMeta meta;
    meta.kernel = "6.18.44";
    meta.hostname = "bench";
    const core::UtcNs at{begins.ns + number * segment_s * second_ns};
    meta.began_at = core::to_rfc3339(at);
    auto made = recorder::Recorder::create(recorder::new_segment_path(directory, at), meta,
                                           recorder::Recorder::For::segment);
    id = made.value()
             .add_segment({.run = "bench", .sequence = number, .began_at = at, .continues = number > 0})
             .value();
    return std::move(*made);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) return 2;
    const std::filesystem::path directory = argv[1];
    const std::int64_t seconds = std::atoll(argv[2]);
    const auto rate = static_cast<std::uint64_t>(std::atoll(argv[3]));
    std::filesystem::create_directories(directory);
    Host host;
    double writing_s = 0;
    std::optional<recorder::Recorder> file;
    std::int64_t segment = 0;
    std::int64_t number = 0;
    const auto end = static_cast<core::BootNs>(seconds) * core::ns_per_s;
    const auto outage_begins = static_cast<core::BootNs>(seconds / 2) * core::ns_per_s;
    const core::BootNs outage_ends = outage_begins + outage_s * core::ns_per_s;
    for (core::BootNs from = 0; from < end;) {
        double begun = cpu_s();
        if (from >= static_cast<core::BootNs>(number * segment_s) * core::ns_per_s)
            file = new_segment(directory, number++, segment);
        writing_s += cpu_s() - begun;
        recorder::Batch batch;
        for (unsigned clock = 0; clock < clocks_a_batch && from < end; ++clock, from += clock_span_ns) {
            const bool outage = from >= outage_begins && from < outage_ends;
            const std::uint64_t connections = rate / (core::ns_per_s / clock_span_ns);
            for (std::uint64_t n = 0; n < connections; ++n)
                host.connect(boot_begins + from + n * clock_span_ns / connections, outage, batch.records);
            batch.at = boot_begins + from + clock_span_ns;
            batch.utc = {begins.ns + static_cast<std::int64_t>(from + clock_span_ns)};
            host.clock(batch.at, batch.utc, batch.records);
        }
        auto past = host.past();
        batch.seconds = std::move(past.seconds);
        batch.events = std::move(past.events);
        begun = cpu_s();
        if (auto done = file->write(segment, batch); !done) {
            std::fprintf(stderr, "%s\n", done.error().message.c_str());
            return 1;
        }
        writing_s += cpu_s() - begun;
    }
    file.reset();
    std::uint64_t bytes = 0;
    for (const auto& one : recorder::segments_in(directory)) bytes += one.bytes;
    std::printf("{\"seconds\": %lld, \"connections\": %llu, \"bytes\": %llu, \"writing_cpu_s\": %.3f}\n",
                static_cast<long long>(seconds),
                static_cast<unsigned long long>(rate * static_cast<std::uint64_t>(seconds)),
                static_cast<unsigned long long>(bytes), writing_s);
    return 0;
}
