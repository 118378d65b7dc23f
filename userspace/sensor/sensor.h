// SPDX-License-Identifier: Apache-2.0
// The kernel's side of netwatch as a source of records. Example:
//
//     auto sensor = sensor::Sensor::open({.netns = {4026531840}});
//     if (!sensor) return std::unexpected(sensor.error());
//     while (running) (*sensor)->poll(100, [&](std::span<const std::byte> record) { … });
//
// One thread opens it and calls everything. Opening needs CAP_BPF and CAP_PERFMON (and CAP_SYS_ADMIN to reach
// the system call tracepoints where tracefs is not mounted); afterwards the capabilities can be given up, but
// before Linux 5.19 a kernel with kernel.unprivileged_bpf_disabled set refuses walk(), read_drops() and
// read_accounts() without CAP_BPF.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "netwatch/abi/record.h"
#include "sensor/facts.h"
#include "sensor/programs.h"
#include "sensor/tables.h"

struct ring_buffer;

namespace netwatch::sensor {

struct SensorOptions {
    std::vector<std::uint32_t> netns;            // inodes of the observed network namespaces; empty: all
    std::uint32_t ring_bytes = 4 << 20;          // a power of two
    std::vector<std::string> disabled_features;  // of feature_names(): the fallback is used instead
    Watches watches = {};
};

class Sensor {
public:
    // The programs are attached, earlier sockets have their owners, and records are being made.
    // Errors: a capability or BTF is missing, or the life cycle of connections cannot be watched (exit code
    // 4); an option is impossible (2); anything else the kernel refuses (1).
    [[nodiscard]] static core::Result<std::unique_ptr<Sensor>> open(const SensorOptions& options);
    ~Sensor();
    Sensor(const Sensor&) = delete;
    Sensor& operator=(const Sensor&) = delete;

    // Waits until the kernel wakes it (failures do) or `timeout_ms` is over, then gives what the ring holds,
    // whatever had woken it. True: the ring is drained; false: there is more, call again.
    bool poll(int timeout_ms, const RecordSink& on_record);
    // Readable when poll() need not wait.
    [[nodiscard]] int epoll_fd() const;

    // One SOCKET_SAMPLE for each live connection, one LISTENER_SAMPLE for each listener, then WALK_END.
    [[nodiscard]] core::Result<void> walk(const RecordSink& on_record);
    void read_drops(const RecordSink& on_record) { drops_.read(on_record); }
    void read_accounts(const RecordSink& on_record) const { accounts_.read(on_record); }

    [[nodiscard]] std::vector<netwatch_hook> hooks() const;
    [[nodiscard]] std::vector<netwatch_drop_reason> drop_reasons() const;
    [[nodiscard]] const KernelFacts& facts() const { return facts_; }
    // Timer interrupts a second, the unit of the records' jiffies; 0: could not be told.
    [[nodiscard]] std::uint32_t hz() const { return hz_; }
    [[nodiscard]] netwatch_bpf& skeleton() const { return programs_->skeleton(); }

private:
    Sensor(KernelFacts facts, std::unique_ptr<Programs> programs);
    [[nodiscard]] core::Result<void> start();
    [[nodiscard]] core::Result<void> run_iterator(const std::string& program,
                                                  const RecordSink& on_record) const;
    [[nodiscard]] std::string walk_program() const;
    [[nodiscard]] core::Result<void> watch_arrivals();  // from each walk to the next
    static int take(void* sensor, void* data, std::size_t size);

    KernelFacts facts_;
    std::unique_ptr<Programs> programs_;
    AccountTable accounts_;
    DropTable drops_;
    ring_buffer* ring_ = nullptr;
    const RecordSink* sink_ = nullptr;  // during poll()
    int taken_ = 0;
    std::uint32_t hz_ = 0;
};

// HZ from two clocks read together. The kernel starts its jiffies at 2^32 - 300 HZ when the monotonic clock
// starts at 0 (include/linux/jiffies.h, INITIAL_JIFFIES). 0: within half a second of uptime 300 s all rates
// look alike.
[[nodiscard]] std::uint32_t derive_hz(std::uint64_t jiffies, std::uint64_t monotonic_ns);

}  // namespace netwatch::sensor
