// SPDX-License-Identifier: Apache-2.0
// The config file of --config: TOML or INI, keys are option names. A key stands for the option of that name
// of the program or of any command; in a [section] named after a command, for that command's alone:
//
//     socket = "/run/netwatch/netwatch.sock"
//     netns = ["/run/netns/blue"]
//     [incidents]
//     all = true
#pragma once

#include <CLI/CLI.hpp>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

namespace netwatch::cli {

class ConfigFile : public CLI::ConfigTOML {
public:
    explicit ConfigFile(const CLI::App& app) : app_(app) {}
    // Throws CLI::ConfigError where a key is no option's name, with the name nearest to it.
    [[nodiscard]] std::vector<CLI::ConfigItem> from_config(std::istream& input) const override;

private:
    const CLI::App& app_;
};

// The word of `known` with the least edit distance to `word`; empty if none is near.
[[nodiscard]] std::string nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace netwatch::cli
