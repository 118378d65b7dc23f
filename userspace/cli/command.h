// SPDX-License-Identifier: Apache-2.0
// What every command has: the options that all share, and a function to run when it was asked for.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "model/region.h"
#include "service/agent.h"
#include "service/client.h"
#include "service/socket_path.h"

namespace netwatch::cli {

struct Globals {
    bool no_color = false;
    std::filesystem::path socket = service::default_socket;
    std::optional<std::filesystem::path> state_dir;
    std::optional<std::filesystem::path> regions;
    [[nodiscard]] service::Client client() const { return service::Client(socket); }
    // Those of --regions; none without it.
    [[nodiscard]] core::Result<std::vector<model::Region>> load_regions() const;
};

using Run = std::function<core::Result<core::ExitCode>()>;

struct Command {
    CLI::App* app;
    Run run;
};

// Each adds one command with its options, help and examples. `app` and `globals` outlive what is returned.
[[nodiscard]] Run add_answer(CLI::App& app, const Globals& globals);  // plain `netwatch`
[[nodiscard]] Command add_agent(CLI::App& app, const Globals& globals);
[[nodiscard]] Command add_top(CLI::App& app, const Globals& globals);
[[nodiscard]] Command add_why(CLI::App& app, const Globals& globals);
[[nodiscard]] Command add_incidents(CLI::App& app, const Globals& globals);
[[nodiscard]] Command add_check(CLI::App& app, const Globals& globals);
[[nodiscard]] Command add_dump(CLI::App& app, const Globals& globals);
[[nodiscard]] Command add_replay(CLI::App& app, const Globals& globals);
[[nodiscard]] Command add_export(CLI::App& app, const Globals& globals);
[[nodiscard]] Command add_report(CLI::App& app, const Globals& globals);

// The whole program but main(): parses, runs, says what went wrong, returns the process's exit code.
[[nodiscard]] int run(int argc, const char* const* argv);

}  // namespace netwatch::cli
