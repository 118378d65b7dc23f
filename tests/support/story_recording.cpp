// SPDX-License-Identifier: Apache-2.0
#include "support/story_recording.h"

#include <gtest/gtest.h>

#include "support/segment.h"

namespace netwatch::support {
namespace {

constexpr double clock_every_s = 0.1;

class Batch {
public:
    void add(const model::Record& record) {
        std::visit(
            [this]<typename R>(const R& one) {
                if constexpr (!std::is_same_v<R, std::monostate>) {
                    const auto bytes = model::bytes_of(one);
                    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
                }
            },
            record);
    }
    [[nodiscard]] std::vector<std::byte> take() { return std::exchange(bytes_, {}); }

private:
    std::vector<std::byte> bytes_;
};

}  // namespace

void write_recording(const Story& story, double until_s, const std::filesystem::path& path) {
    recorder::RecordingMeta meta;
    meta.agent_version = NETWATCH_VERSION;
    meta.hostname = "web-7";
    meta.kernel = "6.18.44";
    meta.began_at = core::to_rfc3339(utc(0));
    recorder::SegmentStart start;
    start.run = meta.began_at;
    start.began_at = utc(0);
    Segment segment(path, meta, start);
    ASSERT_TRUE(segment);
    const auto records = story.records();
    std::size_t next = 0;
    Batch batch;
    for (int tick = 0; tick * clock_every_s <= until_s; ++tick) {
        const core::BootNs at = boot_ns(tick * clock_every_s);
        for (; next < records.size() && model::header_of(records[next]).at_ns <= at; ++next)
            batch.add(records[next]);
        auto clock = model::make_record<netwatch_clock>(at);
        clock.realtime_ns = utc(tick * clock_every_s).ns;
        batch.add(clock);
        recorder::Batch moment;
        moment.at = at;
        moment.utc = {clock.realtime_ns};
        moment.records = batch.take();
        const auto written = segment.write(moment);
        ASSERT_TRUE(written) << written.error().message;
    }
}

}  // namespace netwatch::support
