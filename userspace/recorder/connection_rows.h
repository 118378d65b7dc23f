// SPDX-License-Identifier: Apache-2.0
// Connections as rows of a dump, with numbers in place of addresses and processes. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <tuple>
#include <unordered_map>

#include "core/result.h"
#include "recorder/connections.h"
#include "recorder/recorder.h"

namespace netwatch::recorder {

class ConnectionRows {
public:
    // `to` outlives this.
    ConnectionRows(Recorder& to, std::uint64_t most) : to_(to), most_(most) {}

    // What the path of a cgroup is.
    void learn(const netwatch_cgroup& record);

    // Beyond the limit those that ended well are left out, and counted.
    [[nodiscard]] core::Result<void> add(const model::Connection& connection);

    // After the last one.
    [[nodiscard]] core::Result<void> finish();

    [[nodiscard]] std::uint64_t added() const { return added_; }
    [[nodiscard]] std::uint64_t left_out() const { return left_out_; }

private:
    [[nodiscard]] core::Result<std::int64_t> number_of(const model::IpAddress& ip);
    [[nodiscard]] core::Result<std::optional<std::int64_t>> number_of(const netwatch_process& process);

    Recorder& to_;
    const std::uint64_t most_;
    std::uint64_t added_ = 0;
    std::uint64_t left_out_ = 0;
    std::unordered_map<model::IpAddress, std::int64_t> addresses_;
    std::unordered_map<std::uint64_t, std::string> cgroups_;
    std::map<std::int64_t, std::uint64_t> cgroup_of_;  // by the process's number
    std::map<std::tuple<std::uint32_t, std::uint64_t, std::string>, std::int64_t> processes_;
};

}  // namespace netwatch::recorder
