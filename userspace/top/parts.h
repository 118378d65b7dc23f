// SPDX-License-Identifier: Apache-2.0
// The parts that draw() puts a frame together from.
#pragma once

#include <cstddef>
#include <vector>

#include "top/frame.h"
#include "top/view_model.h"

namespace netwatch::top {

// What stands between the two lines at the top and the status bar, for screens that are one long text.
struct Body {
    std::vector<Line> lines;
    std::size_t focus = 0;  // the line that must stay visible
};

// Incidents (at most a third of the height) and the table of destinations: exactly `height` lines.
[[nodiscard]] std::vector<Line> main_screen(const ViewModel& model, std::size_t width, std::size_t height);

[[nodiscard]] Body incidents_screen(const ViewModel& model, std::size_t width);
[[nodiscard]] Body incident_screen(const ViewModel& model, std::size_t width);
[[nodiscard]] Body destination_screen(const ViewModel& model, std::size_t width);
[[nodiscard]] Body hooks_screen(const ViewModel& model, std::size_t width);
[[nodiscard]] Body help_screen(std::size_t width);

// The last two minutes of a destination; the seconds since `since` are underlined and named.
[[nodiscard]] std::vector<Line> series_lines(const model::DestinationRow& row, core::UtcNs at,
                                             const model::Incident* incident, std::size_t width);

}  // namespace netwatch::top
