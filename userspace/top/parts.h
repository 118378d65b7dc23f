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

// Alarms or the calm sentence (at most two fifths of the height), the table of destinations and, on a screen
// with room below it, the selected one's last minutes: exactly `height` lines.
struct MainScreen {
    std::vector<Line> lines;
    std::size_t table_rows = 0;
    std::size_t table_width = 0;
};
[[nodiscard]] MainScreen main_screen(const ViewModel& model, std::size_t width, std::size_t height);

[[nodiscard]] Body incidents_screen(const ViewModel& model, std::size_t width);
[[nodiscard]] Body incident_screen(const ViewModel& model, std::size_t width);
[[nodiscard]] Body destination_screen(const ViewModel& model, std::size_t width);
[[nodiscard]] Body hooks_screen(const ViewModel& model, std::size_t width);
[[nodiscard]] Body help_screen(std::size_t width);

// The last minutes of a destination, as many as the incident (may be null) has lasted; its span is marked.
[[nodiscard]] std::vector<Line> series_lines(const ViewModel& model, const model::DestinationRow& row,
                                             const model::Incident* incident, std::size_t width);

// Who talks to it, the numbers of the last minute, the last success and failure.
[[nodiscard]] std::vector<Line> traffic_lines(const model::DestinationRow& row, core::UtcNs at,
                                              std::size_t width);

}  // namespace netwatch::top
