// SPDX-License-Identifier: Apache-2.0
// What the diagnosis costs on one core, and in memory. tests/bench/run sets the figures beside their budgets.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <malloc.h>

#include <cstddef>
#include <vector>

#include "diagnosis/engine.h"
#include "model/record.h"
#include "support/story.h"

namespace netwatch {
namespace {

using support::Story;

std::string endpoint(int number) {
    return fmt::format("10.{}.{}.{}:443", number / 62'500, number / 250 % 250, 1 + number % 250);
}

netwatch_clock clock_at(double second) {
    auto clock = model::make_record<netwatch_clock>(support::boot_ns(second));
    clock.realtime_ns = support::utc(second).ns;
    return clock;
}

// Records as the kernel hands them over, CLOCKs a tenth of a second apart between them.
class Stream {
public:
    Stream(const Story& story, double seconds) {
        int tick = 1;
        const auto clocks_until = [&](core::BootNs at) {
            for (; tick <= seconds * 10 && support::boot_ns(tick / 10.0) <= at; ++tick)
                add(model::bytes_of(clock_at(tick / 10.0)));
        };
        for (const auto& record : story.records()) {
            clocks_until(model::header_of(record).at_ns);
            add(bytes_of(record));
            ++records_;
        }
        clocks_until(support::boot_ns(seconds));
    }

    void play(diagnosis::Engine& engine) {
        for (std::size_t at = 0; at < bytes_.size();) {
            const auto record = model::refer(std::span(bytes_).subspan(at));
            engine.observe(*record);
            at += record->header().size;
        }
    }
    [[nodiscard]] std::int64_t records() const { return records_; }

private:
    static std::span<const std::byte> bytes_of(const model::Record& record) {
        return std::visit(
            [](const auto& one) -> std::span<const std::byte> {
                if constexpr (std::is_same_v<std::decay_t<decltype(one)>, std::monostate>)
                    return {};
                else
                    return model::bytes_of(one);
            },
            record);
    }
    void add(std::span<const std::byte> record) { bytes_.insert(bytes_.end(), record.begin(), record.end()); }

    std::vector<std::byte> bytes_;
    std::int64_t records_ = 0;
};

// `range(0)` destinations, a thousand connections a second among them, for ten seconds.
void healthy_connections(benchmark::State& state) {
    constexpr int connections = 10'000;
    const auto destinations = static_cast<int>(state.range(0));
    Story story;
    for (int i = 0; i < connections; ++i) story.connects(i / 1000.0, endpoint(i % destinations));
    Stream stream(story, 11);
    for (auto _ : state) {
        diagnosis::Engine engine;
        stream.play(engine);
        benchmark::DoNotOptimize(engine);
    }
    state.SetItemsProcessed(state.iterations() * stream.records());
    state.counters["connections_per_second"] =
        benchmark::Counter(connections, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(healthy_connections)->Arg(10)->Arg(1'000)->Unit(benchmark::kMillisecond);

// The same with every connection refused.
void refused_connections(benchmark::State& state) {
    constexpr int connections = 10'000;
    const auto destinations = static_cast<int>(state.range(0));
    Story story;
    for (int i = 0; i < connections; ++i) story.is_refused(i / 1000.0, endpoint(i % destinations));
    Stream stream(story, 11);
    for (auto _ : state) {
        diagnosis::Engine engine;
        stream.play(engine);
        benchmark::DoNotOptimize(engine);
    }
    state.SetItemsProcessed(state.iterations() * stream.records());
}
BENCHMARK(refused_connections)->Arg(10)->Arg(1'000)->Unit(benchmark::kMillisecond);

// A walk over `range(0)` live connections, once a second for ten seconds.
void live_connections(benchmark::State& state) {
    const auto count = static_cast<int>(state.range(0));
    Story story;
    for (int i = 0; i < count; ++i) {
        auto flow = story.flow(0, endpoint(i % 1'000));
        for (int second = 1; second <= 10; ++second) {
            flow.sends(10);
            flow.receives(10);
            flow.since(0.1, 0.1);
            story.look(second, flow);
        }
    }
    Stream stream(story, 11);
    for (auto _ : state) {
        diagnosis::Engine engine;
        stream.play(engine);
        benchmark::DoNotOptimize(engine);
    }
    state.SetItemsProcessed(state.iterations() * stream.records());
}
BENCHMARK(live_connections)->Arg(10'000)->Unit(benchmark::kMillisecond);

double heap_bytes() {
    const auto info = ::mallinfo2();
    return static_cast<double>(info.uordblks + info.hblkhd);
}

// What the engine holds after `range(0)` destinations were connected to, `range(1)` times each.
void memory_of_destinations(benchmark::State& state) {
    const auto destinations = static_cast<int>(state.range(0));
    const auto times = static_cast<int>(state.range(1));
    Story story(60);
    for (int round = 0; round < times; ++round)
        for (int i = 0; i < destinations; ++i)
            story.connects(round * 60 + i * 60.0 / destinations, endpoint(i));
    Stream stream(story, 60 * times + 1);
    double bytes = 0;
    for (auto _ : state) {
        const double before = heap_bytes();
        diagnosis::Engine engine;
        stream.play(engine);
        bytes = heap_bytes() - before;
        benchmark::DoNotOptimize(engine);
    }
    state.counters["MiB"] = bytes / (1 << 20);
    state.counters["bytes_each"] = bytes / destinations;
}
BENCHMARK(memory_of_destinations)
    ->Args({4'000, 1})
    ->Args({10'000, 1})
    ->Args({10'000, 3})
    ->Args({90'000, 1})
    ->Args({100'000, 1})
    ->Args({100'000, 2})
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace netwatch
