// SPDX-License-Identifier: Apache-2.0
#include "sensor/sensor.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <thread>

#include "core/fd.h"
#include "model/record.h"
#include "sensor/boot_clock.h"
#include "sensor/skeleton.h"

namespace netwatch::sensor {
namespace {

// So that a flood cannot keep the caller from its other work.
constexpr int most_records_a_poll = 65536;
constexpr std::size_t read_bytes = 64 << 10;

template <std::size_t Size>
void put_text(char (&to)[Size], const std::string& text) {
    const std::size_t length = std::min(text.size(), Size - 1);
    std::copy_n(text.data(), length, to);
}

// Gives the whole records at the front of `bytes` and removes them: a read may end in the middle of one.
void give_whole(std::vector<std::byte>& bytes, const RecordSink& on_record) {
    std::size_t at = 0;
    while (true) {
        const auto rest = std::span<const std::byte>(bytes).subspan(at);
        const std::size_t size = model::claimed_size(rest);
        if (size == 0 || size > rest.size()) break;
        on_record(rest.first(size));
        at += size;
    }
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
}

}  // namespace

std::uint32_t derive_hz(std::uint64_t jiffies, std::uint64_t monotonic_ns) {
    constexpr auto rates = std::to_array<std::uint32_t>({100, 250, 300, 1000});
    const double since_zero = static_cast<double>(jiffies) - 4294967296.0;
    const double seconds = static_cast<double>(monotonic_ns) / static_cast<double>(core::ns_per_s) - 300;
    if (std::abs(seconds) < 0.5) return 0;
    const double rate = since_zero / seconds;
    return *std::ranges::min_element(rates, {}, [rate](std::uint32_t hz) { return std::abs(rate / hz - 1); });
}

core::Result<std::unique_ptr<Sensor>> Sensor::open(const SensorOptions& options) {
    auto facts = gather_facts();
    if (facts) facts = without_features(std::move(*facts), options.disabled_features);
    if (!facts) return std::unexpected(facts.error());
    auto programs = Programs::attach(
        *facts, {.netns = options.netns, .ring_bytes = options.ring_bytes, .watches = options.watches});
    if (!programs) return std::unexpected(programs.error());
    std::unique_ptr<Sensor> sensor(new Sensor(std::move(*facts), std::move(*programs)));
    if (auto started = sensor->start(); !started) return std::unexpected(started.error());
    return sensor;
}

Sensor::Sensor(KernelFacts facts, std::unique_ptr<Programs> programs)
    : facts_(std::move(facts)),
      programs_(std::move(programs)),
      accounts_(programs_->skeleton()),
      drops_(programs_->skeleton()) {}

Sensor::~Sensor() { ring_buffer__free(ring_); }

core::Result<void> Sensor::start() {
    ring_ = ring_buffer__new(bpf_map__fd(skeleton().maps.records), &Sensor::take, this, nullptr);
    if (!ring_) return core::fail(std::string("opening the ring buffer: ") + std::strerror(errno));

    // Before activation the walk makes no records and only reads the clocks.
    const RecordSink nobody = [](std::span<const std::byte>) {};
    while (programs_->link(walk_program()) && hz_ == 0) {
        if (auto read = run_iterator(walk_program(), nobody); !read) return read;
        hz_ = derive_hz(skeleton().bss->walk_clock.jiffies, skeleton().bss->walk_clock.monotonic_ns);
        if (hz_ == 0) std::this_thread::sleep_for(std::chrono::seconds(1));
    }
    programs_->activate();
    if (auto rests = watch_arrivals(); !rests) return rests;
    if (programs_->link("tag_sockets")) {
        if (auto tagged = run_iterator("tag_sockets", nobody); !tagged) return tagged;
    }
    return {};
}

int Sensor::take(void* context, void* data, std::size_t size) {
    auto& sensor = *static_cast<Sensor*>(context);
    (*sensor.sink_)({static_cast<const std::byte*>(data), size});
    return ++sensor.taken_ < most_records_a_poll ? 0 : -EAGAIN;
}

bool Sensor::poll(int timeout_ms, const RecordSink& on_record) {
    sink_ = &on_record;
    taken_ = 0;
    // Quiet records do not wake: what woke us or did not says nothing about what the ring holds.
    if (ring_buffer__poll(ring_, timeout_ms) != -EAGAIN) ring_buffer__consume(ring_);
    sink_ = nullptr;
    return taken_ < most_records_a_poll;
}

int Sensor::epoll_fd() const { return ring_buffer__epoll_fd(ring_); }

std::string Sensor::walk_program() const {
    return programs_->link("walk_states") ? "walk_states" : "walk_tcp";
}

core::Result<void> Sensor::run_iterator(const std::string& program, const RecordSink& on_record) const {
    const bpf_link* link = programs_->link(program);
    const core::Fd iterator(bpf_iter_create(bpf_link__fd(link)));
    if (!iterator) return core::fail(fmt::format("starting {}: {}", program, std::strerror(errno)));
    std::vector<std::byte> pending;
    std::vector<std::byte> chunk(read_bytes);
    while (true) {
        const ssize_t length = ::read(iterator.get(), chunk.data(), chunk.size());
        if (length == 0) return {};
        if (length < 0) {
            // EAGAIN: a million objects in a row had nothing to say
            if (errno == EAGAIN || errno == EINTR) continue;
            return core::fail(fmt::format("reading {}: {}", program, std::strerror(errno)));
        }
        pending.insert(pending.end(), chunk.begin(), chunk.begin() + length);
        give_whole(pending, on_record);
    }
}

core::Result<void> Sensor::walk(const RecordSink& on_record) {
    if (!programs_->link(walk_program())) return core::fail("live sockets cannot be walked on this kernel");
    const std::uint64_t started_ns = boot_now_ns();
    skeleton().bss->walk_totals = {};
    if (auto walked = run_iterator(walk_program(), on_record); !walked) return walked;
    auto end = model::make_record<netwatch_walk_end>(boot_now_ns());
    end.started_ns = started_ns;
    end.sockets = skeleton().bss->walk_totals.sockets;
    end.listeners = skeleton().bss->walk_totals.listeners;
    on_record(model::bytes_of(end));
    return watch_arrivals();
}

core::Result<void> Sensor::watch_arrivals() {
    return programs_->switch_program("on_segment", skeleton().bss->watches_arrivals);
}

std::vector<netwatch_hook> Sensor::hooks() const {
    std::vector<netwatch_hook> records;
    for (const auto& hook : programs_->plan().hooks) {
        auto& record = records.emplace_back(model::make_record<netwatch_hook>(boot_now_ns()));
        put_text(record.signal, hook.signal);
        put_text(record.hook, hook.hook);
        put_text(record.lost, hook.lost);
        put_text(record.reason, hook.reason);
        record.state = hook.state;
    }
    return records;
}

std::vector<netwatch_drop_reason> Sensor::drop_reasons() const {
    std::vector<netwatch_drop_reason> records;
    for (const auto& [number, name] : facts_.drop_reasons) {
        auto& record = records.emplace_back(model::make_record<netwatch_drop_reason>(boot_now_ns()));
        record.reason = number;
        put_text(record.name, name);
    }
    return records;
}

}  // namespace netwatch::sensor
