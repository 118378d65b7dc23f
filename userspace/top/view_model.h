// SPDX-License-Identifier: Apache-2.0
// The live view without a terminal: what is known, what the keys have done to it. Example:
//
//     ViewModel model;
//     model.set_view(view);
//     model.press(Key::down);
//     Frame frame = draw(model, 80, 24);
//
// One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/view.h"
#include "present/incidents.h"
#include "present/table.h"

namespace netwatch::top {

enum class Screen : std::uint8_t {
    destinations,
    incidents,
    destination_details,
    incident_details,
    hooks,
    help
};

enum class Key : std::uint8_t { up, down, page_up, page_down, home, end, enter, escape, backspace, help };

// What tells one row from all others, whatever its place in the table.
struct RowId {
    model::Endpoint endpoint;
    std::uint32_t netns = 0;
    model::Perspective perspective = model::Perspective::client;
    bool operator==(const RowId&) const = default;
};

class ViewModel {
public:
    // While paused a new view is passed over.
    void set_view(model::HostView view);
    // Why there is no newer view; empty: there is.
    void set_problem(std::string problem) { problem_ = std::move(problem); }
    // How long ago the view last changed, in whole seconds.
    void set_silence(std::uint64_t seconds) { silent_seconds_ = seconds; }
    void set_ladder(const model::Endpoint& target, core::Result<model::Ladder> ladder);

    void press(Key key);
    // Keys with a character: commands, or the text of the filter while that is being typed. UTF-8.
    void type(std::string_view character);

    // The address whose ladder the present screen shows; nothing if it shows none.
    [[nodiscard]] std::optional<model::Endpoint> wanted_ladder() const;
    [[nodiscard]] bool wants_quit() const { return quit_; }

    [[nodiscard]] Screen screen() const { return screen_; }
    [[nodiscard]] bool is_paused() const { return paused_; }
    [[nodiscard]] bool is_typing_filter() const { return typing_filter_; }
    [[nodiscard]] bool has_view() const { return view_.has_value(); }
    [[nodiscard]] const model::HostView& view() const { return *view_; }
    [[nodiscard]] const std::string& problem() const { return problem_; }
    [[nodiscard]] std::uint64_t silent_seconds() const { return silent_seconds_; }
    [[nodiscard]] const present::RowQuery& query() const { return query_; }
    [[nodiscard]] std::size_t scroll() const { return scroll_; }

    // The table's rows after filter and sort, and the place of the selected one among them (0 where it is
    // gone).
    [[nodiscard]] std::vector<const model::DestinationRow*> rows() const;
    [[nodiscard]] std::size_t selected_row() const;
    [[nodiscard]] const model::DestinationRow* detailed_row() const;

    // All incidents with their symptoms under them, as one list, and the place of the selected one.
    [[nodiscard]] std::vector<const model::Incident*> incident_list() const;
    [[nodiscard]] std::size_t selected_incident() const;
    [[nodiscard]] const model::Incident* detailed_incident() const;

    // The ladder of wanted_ladder() once it has come; its error in words where it could not be had.
    [[nodiscard]] const model::Ladder* ladder() const;
    [[nodiscard]] std::string ladder_problem() const;

private:
    void move(std::ptrdiff_t by);
    void move_selection(std::ptrdiff_t by);
    void open_details();
    void go_back();
    void show(Screen screen);
    void command(char key);
    void type_into_filter(std::string_view character);
    void sort_by_next();

    std::optional<model::HostView> view_;
    std::string problem_;
    std::uint64_t silent_seconds_ = 0;
    Screen screen_ = Screen::destinations;
    Screen came_from_ = Screen::destinations;
    present::RowQuery query_;
    std::optional<RowId> row_;
    std::string incident_;
    std::size_t scroll_ = 0;
    bool paused_ = false;
    bool typing_filter_ = false;
    bool quit_ = false;
    std::optional<model::Endpoint> ladder_target_;
    std::optional<core::Result<model::Ladder>> ladder_;
};

}  // namespace netwatch::top
