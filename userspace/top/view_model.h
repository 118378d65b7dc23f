// SPDX-License-Identifier: Apache-2.0
// The live view without a terminal: what is known, what the keys have done to it. Example:
//
//     ViewModel model;
//     model.set_view(view);
//     model.press(Key::down);
//     Picture picture = draw(model, 80, 24);
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
#include "top/feed.h"
#include "top/frame.h"
#include "top/history.h"

namespace netwatch::top {

enum class Screen : std::uint8_t {
    destinations,
    incidents,
    destination_details,
    incident_details,
    hooks,
    help
};

enum class Key : std::uint8_t {
    up,
    down,
    left,
    right,
    page_up,
    page_down,
    home,
    end,
    enter,
    escape,
    backspace,
    help
};

class ViewModel {
public:
    ViewModel() = default;
    ViewModel(ViewModel&&) noexcept = default;
    ViewModel& operator=(ViewModel&&) noexcept = default;
    ViewModel(const ViewModel&) = delete; /* rows_ points into shown_ */
    ViewModel& operator=(const ViewModel&) = delete;
    ~ViewModel() = default;

    // Kept in any case; shown unless paused.
    void set_view(model::HostView view);
    // Why there is no newer view; empty: there is.
    void set_problem(std::string problem) { problem_ = std::move(problem); }
    // How long ago the view last changed, in whole seconds.
    void set_silence(std::uint64_t seconds) { silent_seconds_ = seconds; }
    // Begins with a moment that was recorded, and has no newer view to go to but the recording's last.
    void begin_in_the_past(core::UtcNs at);
    // The moment around which minutes of the recording are wanted; empty: none are.
    [[nodiscard]] std::optional<core::UtcNs> wanted_past() const { return wanted_; }
    void set_past(core::Result<History> past);

    // Belongs to the newest view.
    void set_ladder(const model::Endpoint& target, core::Result<model::Ladder> ladder);

    void press(Key key);
    // Keys with a character: commands, or the text of the filter while that is being typed. UTF-8.
    void type(std::string_view character);
    // The first click selects, one on what is selected opens.
    void click(const Link& link);
    // Lines down; negative: up.
    void wheel(std::ptrdiff_t lines);
    // What the last picture of this model had room for.
    void set_extent(const Extent& extent);

    // What the next view has to answer.
    [[nodiscard]] Question question() const;
    [[nodiscard]] bool wants_quit() const { return quit_; }

    [[nodiscard]] Screen screen() const { return screen_; }
    [[nodiscard]] bool is_paused() const { return paused_; }
    [[nodiscard]] bool is_typing_filter() const { return typing_ == Typing::filter; }
    [[nodiscard]] bool is_typing_time() const { return typing_ == Typing::time; }
    [[nodiscard]] const std::string& typed_time() const { return typed_time_; }
    // What is shown was not seen by this screen itself: it was recorded.
    [[nodiscard]] bool is_recorded() const { return in_recording_; }
    [[nodiscard]] bool has_view() const { return shown_.has_value(); }
    [[nodiscard]] const model::HostView& view() const { return *shown_; }
    // From the view that is shown to the newest one, and to the oldest one that is kept.
    [[nodiscard]] std::uint64_t seconds_behind() const;
    [[nodiscard]] std::uint64_t seconds_kept() const;
    // Its seconds before the view that is shown, as far as they are kept.
    [[nodiscard]] std::vector<model::SeriesPoint> series(const model::DestinationRow& row) const;
    [[nodiscard]] const std::string& problem() const { return problem_.empty() ? past_problem_ : problem_; }
    [[nodiscard]] std::uint64_t silent_seconds() const { return silent_seconds_; }
    [[nodiscard]] const present::RowQuery& query() const { return query_; }
    [[nodiscard]] std::size_t scroll() const { return scroll_; }

    // The table's rows after filter and sort, and the place of the selected one among them (where it is gone,
    // the one in its place).
    [[nodiscard]] const std::vector<const model::DestinationRow*>& rows() const { return rows_; }
    [[nodiscard]] std::size_t selected_row() const;
    // The first row of a table that shows `visible` of them: the selected one stays on its line of the
    // screen.
    [[nodiscard]] std::size_t first_row(std::size_t visible) const;
    // Rows that match, those included that did not come over.
    [[nodiscard]] std::uint64_t matching() const;
    [[nodiscard]] const model::DestinationRow* detailed_row() const;

    // All incidents with their symptoms under them, as one list, and the place of the selected one.
    [[nodiscard]] std::vector<const model::Incident*> incident_list() const;
    [[nodiscard]] std::size_t selected_incident() const;
    [[nodiscard]] const model::Incident* detailed_incident() const;

    // The ladder of the detailed row at the moment that is shown; its error in words where it could not be
    // had.
    [[nodiscard]] const model::Ladder* ladder() const;
    [[nodiscard]] std::string ladder_problem() const;

private:
    void press_in_filter(Key key);
    void press_in_time(Key key);
    void go_to_typed_time();
    void move(std::ptrdiff_t by);
    void move_selection(std::ptrdiff_t by);
    void move_in_time(std::ptrdiff_t steps);
    void jump_in_time(std::int64_t by_ns);
    void show_moment(core::UtcNs at);
    void go_live();
    void select(std::size_t index);
    void open_details();
    void open_incident(const std::string& id);
    void go_back();
    void show(Screen screen);
    void command(char key);
    void sort_by_next();
    void sort_by(std::string_view id);
    void edit_filter(std::string filter);
    void arrange();
    [[nodiscard]] bool has_fitting_ladder() const;

    enum class Typing : std::uint8_t { nothing, filter, time };
    [[nodiscard]] const History& history() const { return in_recording_ ? recorded_ : history_; }

    History history_;   // what this screen has seen
    History recorded_;  // minutes of the recording
    bool in_recording_ = false;
    bool only_recorded_ = false;
    std::optional<core::UtcNs> wanted_;
    std::string past_problem_;
    std::optional<model::HostView> shown_;
    std::vector<const model::DestinationRow*> rows_; /* into shown_ */
    std::vector<RowId> order_;                       /* of rows_, when the view itself is another one */
    std::string problem_;
    std::uint64_t silent_seconds_ = 0;
    Screen screen_ = Screen::destinations;
    Screen came_from_ = Screen::destinations;
    present::RowQuery query_;
    std::optional<RowId> row_;
    std::size_t row_index_ = 0; /* where it was last */
    std::size_t row_line_ = 0;  /* of the table on the screen */
    std::string incident_;
    Extent extent_;
    std::size_t scroll_ = 0;
    bool paused_ = false;
    Typing typing_ = Typing::nothing;
    std::string typed_time_;
    bool quit_ = false;
    std::optional<model::Endpoint> ladder_target_;
    core::UtcNs ladder_at_;
    std::optional<core::Result<model::Ladder>> ladder_;
};

}  // namespace netwatch::top
