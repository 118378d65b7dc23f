// SPDX-License-Identifier: Apache-2.0
// Asks an agent over its socket. One thread at a time, cancel() aside.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/result.h"
#include "model/incident.h"
#include "model/view.h"
#include "present/table.h"

namespace netwatch::service {

// The part of a view that is wanted, as present::narrowed() has it.
struct ViewPart {
    present::RowQuery query;
    std::size_t most_rows = 0;
    core::UtcNs series_after;
};

class Client {
public:
    explicit Client(std::filesystem::path socket);

    [[nodiscard]] const std::filesystem::path& socket() const { return socket_; }

    // Somebody listens there. Errors: nobody does, or this user may not ask (exit code 4).
    [[nodiscard]] core::Result<void> reach() const;

    // The answer to a path of server.h. Errors: those of reach(); what the agent says; an answer cut short.
    [[nodiscard]] core::Result<nlohmann::json> get(const std::string& path) const;
    [[nodiscard]] core::Result<model::HostView> view() const;
    [[nodiscard]] core::Result<model::HostView> view(const ViewPart& part) const;
    [[nodiscard]] core::Result<model::Ladder> ladder(const model::Endpoint& target) const;

    // Calls `on_line` with each changed incident's JSON until it returns false or the agent ends.
    [[nodiscard]] core::Result<void> follow(bool all,
                                            const std::function<bool(std::string_view)>& on_line) const;

    // From any thread, for good and for every copy: what is being waited for ends at once, with an error.
    void cancel() const;

private:
    struct Waiting;

    std::filesystem::path socket_;
    std::shared_ptr<Waiting> waiting_;
};

}  // namespace netwatch::service
