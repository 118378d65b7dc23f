// SPDX-License-Identifier: Apache-2.0
// What was recorded, for other programs: told piece by piece, written in a form of theirs. Example:
//
//     auto out = present::json_lines();
//     out->begin(head);
//     out->add(connection);  …  write(out->take());
//     out->end(incidents);      write(out->take());
//
// Pure; one thread. take() gives what has been written since it was last called: call it often.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "core/time.h"
#include "model/connection.h"
#include "model/incident.h"
#include "model/recorded.h"

namespace netwatch::present {

struct ExportHead {
    std::string source; /* name of the recording */
    std::string hostname;
    std::string kernel;
    std::string agent_version;
    core::UtcNs begins;
};

class Export {
public:
    virtual ~Export() = default;
    // First of all.
    virtual void begin(const ExportHead& head) = 0;
    virtual void add(const model::DestinationSecond& second) = 0;
    virtual void add(const model::Connection& connection) = 0;
    virtual void add(const model::HostEvent& change) = 0;
    // Last of all; `at`: until when was recorded.
    virtual void end(std::span<const model::Incident> incidents, core::UtcNs at) = 0;

    // What did not fit: connections that overlap too many others.
    [[nodiscard]] std::uint64_t left_out() const { return left_out_; }

    [[nodiscard]] std::size_t size() const { return out_.size(); }
    [[nodiscard]] std::string take() { return std::exchange(out_, {}); }

protected:
    std::string out_;
    std::uint64_t left_out_ = 0;
};

// One JSON object a line: docs/schemas/export.schema.json.
[[nodiscard]] std::unique_ptr<Export> json_lines();

// A trace for the Perfetto UI, as TracePackets of TrackEvents
// (perfetto.dev/docs/reference/synthetic-track-event): incidents, connections and changes as slices, what is
// measured as counters. Times are UTC in nanoseconds. Its protobuf is written, not parsed: a few dozen fields
// of Perfetto's public API, whose numbers never change.
[[nodiscard]] std::unique_ptr<Export> perfetto_trace();

}  // namespace netwatch::present
