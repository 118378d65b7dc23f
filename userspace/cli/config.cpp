// SPDX-License-Identifier: Apache-2.0
#include "cli/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>

namespace netwatch::cli {
namespace {

// Keys that make no sense in a file: they choose it, or only talk.
const std::set<std::string, std::less<>> unfit{"config", "help", "version"};

// Levenshtein's distance, one row at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t above = row[j + 1];
            row[j + 1] = std::min({above + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0 : 1)});
            diagonal = above;
        }
    }
    return row.back();
}

bool has_key(const CLI::App& app, const std::string& key) {
    return !unfit.contains(key) && app.get_option_no_throw("--" + key) != nullptr;
}

std::vector<std::string> keys_of(const CLI::App& app) {
    std::vector<std::string> keys;
    for (const auto* option : app.get_options()) {
        for (const auto& name : option->get_lnames()) {
            if (!unfit.contains(name)) keys.push_back(name);
        }
    }
    return keys;
}

[[noreturn]] void fail(const std::string& what) { throw CLI::ConfigError(what, CLI::ExitCodes::ConfigError); }

std::string with_nearest(const std::string& what, const std::string& near) {
    return near.empty() ? what : fmt::format("{}; did you mean \"{}\"?", what, near);
}

// CLI11 takes a value whose quote or bracket is never closed for what it is not.
bool is_unclosed(const CLI::ConfigItem& item) {
    return std::ranges::any_of(item.inputs, [](const std::string& value) {
        return value.starts_with('"') || value.starts_with('\'') || value.starts_with('[');
    });
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
    std::string best;
    std::size_t best_distance = std::max<std::size_t>(2, word.size() / 2) + 1;
    for (const auto& candidate : known) {
        const std::size_t distance = edit_distance(word, candidate);
        if (distance >= best_distance) continue;
        best_distance = distance;
        best = candidate;
    }
    return best;
}

std::vector<CLI::ConfigItem> ConfigFile::from_config(std::istream& input) const {
    std::vector<CLI::ConfigItem> routed;
    const auto commands = app_.get_subcommands([](const CLI::App*) { return true; });
    for (const auto& item : CLI::ConfigTOML::from_config(input)) {
        if (item.name == "++" || item.name == "--") continue;  // marks of a section's beginning and end
        const bool in_section = !item.parents.empty();
        std::vector<std::string> known = in_section ? std::vector<std::string>() : keys_of(app_);
        std::vector<std::string> names;
        bool taken = !in_section && has_key(app_, item.name);
        if (taken) routed.push_back(item);
        bool section_known = !in_section;
        for (const auto* command : commands) {
            names.push_back(command->get_name());
            if (in_section && (item.parents.size() > 1 || item.parents[0] != command->get_name())) continue;
            section_known = true;
            std::ranges::copy(keys_of(*command), std::back_inserter(known));
            if (!has_key(*command, item.name)) continue;
            taken = true;
            CLI::ConfigItem copy = item;
            copy.parents = {command->get_name()};
            routed.push_back(std::move(copy));
        }
        if (!section_known)
            fail(with_nearest(fmt::format("no command is called \"{}\"", item.parents[0]),
                              nearest(item.parents[0], names)));
        if (!taken)
            fail(with_nearest(fmt::format("unknown key \"{}\"", item.name), nearest(item.name, known)));
        if (is_unclosed(item)) fail(fmt::format("the value of \"{}\" is not closed", item.name));
    }
    return routed;
}

}  // namespace netwatch::cli
