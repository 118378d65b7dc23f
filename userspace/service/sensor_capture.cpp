// SPDX-License-Identifier: Apache-2.0
#include "service/sensor_capture.h"

#if NETWATCH_WITH_BPF
#include <spdlog/spdlog.h>

#include "model/record.h"
#include "sensor/facts.h"
#include "sensor/sensor.h"
#include "service/privileges.h"
#endif

namespace netwatch::service {

#if NETWATCH_WITH_BPF
namespace {

class SensorCapture : public Capture {
public:
    explicit SensorCapture(std::unique_ptr<sensor::Sensor> sensor) : sensor_(std::move(sensor)) {}

    core::Result<void> introduce(const OnRecord& on_record) override {
        for (const auto& hook : sensor_->hooks()) on_record(model::bytes_of(hook));
        for (const auto& reason : sensor_->drop_reasons()) on_record(model::bytes_of(reason));
        return {};
    }
    int wait_fd() const override { return sensor_->epoll_fd(); }
    core::Result<void> poll(const OnRecord& on_record) override {
        sensor_->poll(0, on_record);
        return {};
    }
    core::Result<void> walk(const OnRecord& on_record) override {
        if (const auto walked = sensor_->walk(on_record); !walked && !walk_failed_) {
            spdlog::warn("live sockets are not walked: {}", walked.error().message);
            walk_failed_ = true;  // said once: the events go on without the counters
        }
        sensor_->read_drops(on_record);
        sensor_->read_accounts(on_record);
        return {};
    }

private:
    std::unique_ptr<sensor::Sensor> sensor_;
    bool walk_failed_ = false;
};

}  // namespace

core::Result<void> check_privileges() { return sensor::check_capabilities(); }

core::Result<std::unique_ptr<Capture>> open_sensor(const CaptureOptions& options) {
    auto sensor = sensor::Sensor::open({.netns = options.netns,
                                        .ring_bytes = options.ring_bytes,
                                        .disabled_features = options.disabled_features,
                                        .watches = {options.watch_dns, options.watch_tls}});
    if (!sensor) return std::unexpected(sensor.error());
    if (auto given_up = give_up_privileges(); !given_up) return std::unexpected(given_up.error());
    return std::make_unique<SensorCapture>(std::move(*sensor));
}
#else
core::Result<void> check_privileges() {
    return core::fail("this netwatch was built without the programs: it cannot observe a host itself",
                      "build it with -DNETWATCH_WITH_BPF=ON, or replay a recording",
                      core::ExitCode::privilege_missing);
}

core::Result<std::unique_ptr<Capture>> open_sensor(const CaptureOptions& /*options*/) {
    return std::unexpected(check_privileges().error());
}
#endif

}  // namespace netwatch::service
