// SPDX-License-Identifier: Apache-2.0
#include "top/view_model.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/when.h"
#include "model/fields.h"
#include "top/order.h"

namespace netwatch::top {
namespace {

constexpr std::ptrdiff_t page = 10;
constexpr std::ptrdiff_t everything = 1'000'000'000;
constexpr std::size_t longest_filter = 200;
constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t minute_ns = 60 * second_ns;
constexpr core::UtcNs end_of_time{std::numeric_limits<std::int64_t>::max()};

std::size_t moved(std::size_t from, std::ptrdiff_t by, std::size_t last) {
    return static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(from) + by, 0,
                                                               static_cast<std::ptrdiff_t>(last)));
}

std::uint64_t seconds_between(core::UtcNs from, core::UtcNs to) {
    return to < from ? 0
                     : static_cast<std::uint64_t>(std::llround(static_cast<double>(to.ns - from.ns) / 1e9));
}

// One character, however many bytes it has.
std::string without_last(std::string text) {
    while (!text.empty() && (text.back() & '\xc0') == '\x80') text.pop_back();
    if (!text.empty()) text.pop_back();
    return text;
}

}  // namespace

void ViewModel::set_view(model::HostView view) {
    history_.keep(std::move(view));
    if (!paused_ || !shown_) show_moment(history_.last());
}

void ViewModel::set_ladder(const model::Endpoint& target, core::Result<model::Ladder> ladder) {
    if (paused_) return;
    ladder_target_ = target;
    ladder_at_ = history_.is_empty() ? core::UtcNs{} : history_.last();
    ladder_ = std::move(ladder);
}

void ViewModel::set_extent(const Extent& extent) {
    extent_ = extent;
    scroll_ = std::min(scroll_, extent_.most_scroll);
}

void ViewModel::press(Key key) {
    past_problem_.clear();
    if (typing_ == Typing::filter) return press_in_filter(key);
    if (typing_ == Typing::time) return press_in_time(key);
    switch (key) {
        case Key::up: return move(-1);
        case Key::down: return move(1);
        case Key::left: return move_in_time(-1);
        case Key::right: return move_in_time(1);
        case Key::page_up: return move(-page);
        case Key::page_down: return move(page);
        case Key::home:
            return paused_ ? show_moment(only_recorded_ ? core::UtcNs{} : history_.first())
                           : move(-everything);
        case Key::end: return paused_ ? go_live() : move(everything);
        case Key::enter: return open_details();
        case Key::escape:
        case Key::backspace: return go_back();
        case Key::help: return show(Screen::help);
    }
}

void ViewModel::press_in_filter(Key key) {
    switch (key) {
        case Key::up: return move(-1);
        case Key::down: return move(1);
        case Key::enter: typing_ = Typing::nothing; return;
        case Key::escape: typing_ = Typing::nothing; return edit_filter({});
        case Key::backspace: return edit_filter(without_last(query_.filter));
        default: return;
    }
}

void ViewModel::press_in_time(Key key) {
    switch (key) {
        case Key::enter: return go_to_typed_time();
        case Key::escape: typing_ = Typing::nothing; return;
        case Key::backspace: typed_time_ = without_last(typed_time_); return;
        default: return;
    }
}

void ViewModel::go_to_typed_time() {
    typing_ = Typing::nothing;
    const auto at = core::parse_when(typed_time_, history().is_empty() ? core::UtcNs{} : history().last());
    if (!at) {
        past_problem_ = at.error().message + ": " + at.error().hint;
        return;
    }
    paused_ = true;
    show_moment(*at);
}

void ViewModel::type(std::string_view character) {
    past_problem_.clear();
    if (typing_ == Typing::nothing) {
        if (character.size() == 1) command(character.front());
        return;
    }
    std::string& text = typing_ == Typing::filter ? query_.filter : typed_time_;
    if (text.size() + character.size() > longest_filter) return;
    text += character;
    arrange();
}

void ViewModel::command(char key) {
    switch (key) {
        case 'q': quit_ = true; return;
        case 'j': return move(1);
        case 'k': return move(-1);
        case 'g': return move(-everything);
        case 'G': return move(everything);
        case ' ': return paused_ ? go_live() : move_in_time(0);
        case '[': return jump_in_time(-minute_ns);
        case ']': return jump_in_time(minute_ns);
        case 'i': return show(Screen::incidents);
        case 'h': return show(Screen::hooks);
        case '?': return show(Screen::help);
        case '/':
            show(Screen::destinations);
            typing_ = Typing::filter;
            return;
        case 't':
            typed_time_.clear();
            typing_ = Typing::time;
            return;
        case 's': return sort_by_next();
        case 'S': query_.reverse = !query_.reverse; return arrange();
        default: return;
    }
}

void ViewModel::click(const Link& link) {
    typing_ = Typing::nothing;
    if (!link.column.empty()) {
        sort_by(link.column);
    } else if (link.row && screen_ == Screen::destinations) {
        const auto clicked = std::ranges::find(rows_, *link.row, [](const auto* row) { return id_of(*row); });
        if (clicked == rows_.end()) return;
        const auto index = static_cast<std::size_t>(clicked - rows_.begin());
        const bool again = row_ && index == selected_row();
        select(index);
        if (again) open_details();
    } else if (!link.incident.empty()) {
        const bool again = incident_ == link.incident;
        if (screen_ == Screen::incidents && !again) {
            incident_ = link.incident;
        } else {
            open_incident(link.incident);
        }
    }
}

void ViewModel::wheel(std::ptrdiff_t lines) { move(lines); }

void ViewModel::show(Screen screen) {
    // The same key again leads back.
    if (screen_ == screen && screen != Screen::destinations) return go_back();
    screen_ = screen;
    scroll_ = 0;
}

void ViewModel::go_back() {
    scroll_ = 0;
    if (screen_ == Screen::incident_details) {
        screen_ = came_from_;
    } else if (screen_ != Screen::destinations) {
        screen_ = Screen::destinations;
    } else if (!query_.filter.empty()) {
        edit_filter({});
    } else {
        query_ = {};
        arrange();
    }
}

void ViewModel::open_details() {
    if (!shown_) return;
    if (screen_ == Screen::destinations) {
        if (rows_.empty()) return;
        select(selected_row());
        screen_ = Screen::destination_details;
        scroll_ = 0;
    } else if (screen_ == Screen::incidents) {
        const auto list = incident_list();
        if (!list.empty()) open_incident(list[selected_incident()]->id);
    } else if (screen_ == Screen::destination_details) {
        const auto* row = detailed_row();
        if (row != nullptr && row->incident) open_incident(*row->incident);
    }
}

void ViewModel::open_incident(const std::string& id) {
    if (screen_ != Screen::incident_details) came_from_ = screen_;
    incident_ = id;
    screen_ = Screen::incident_details;
    scroll_ = 0;
}

void ViewModel::move(std::ptrdiff_t by) {
    if (screen_ == Screen::destinations || screen_ == Screen::incidents) return move_selection(by);
    scroll_ = moved(scroll_, by, extent_.most_scroll);
}

void ViewModel::move_selection(std::ptrdiff_t by) {
    if (!shown_) return;
    if (screen_ == Screen::destinations) {
        if (!rows_.empty()) select(moved(selected_row(), by, rows_.size() - 1));
        return;
    }
    const auto list = incident_list();
    if (!list.empty()) incident_ = list[moved(selected_incident(), by, list.size() - 1)]->id;
}

void ViewModel::select(std::size_t index) {
    const std::size_t before = selected_row();
    const std::size_t line = before - first_row(extent_.table_rows);
    const auto by = static_cast<std::ptrdiff_t>(index) - static_cast<std::ptrdiff_t>(before);
    row_line_ = moved(line, by, std::max<std::size_t>(extent_.table_rows, 1) - 1);
    row_index_ = index;
    row_ = id_of(*rows_[index]);
}

// No step at all: stops where it is.
void ViewModel::move_in_time(std::ptrdiff_t steps) {
    if (!shown_) return;
    if (steps > 0 && !in_recording_ && shown_->at >= history_.last()) return go_live();
    if (steps > 0 && !paused_) return;
    paused_ = true;
    if (steps == 0) return;
    const core::UtcNs at = history().moment(shown_->at, steps);
    // Beyond the first and the last moment of what is kept lies what was recorded.
    show_moment(at != shown_->at ? at : core::UtcNs{at.ns + (steps < 0 ? -second_ns : second_ns)});
}

void ViewModel::jump_in_time(std::int64_t by_ns) {
    if (!shown_ || (by_ns > 0 && !paused_)) return;
    paused_ = true;
    show_moment({shown_->at.ns + by_ns});
}

void ViewModel::show_moment(core::UtcNs at) {
    const bool seen = !history_.is_empty() && at >= history_.first();
    const bool recorded = !seen && !recorded_.is_empty() && at >= recorded_.first() && at <= recorded_.last();
    if (!seen && !recorded) {
        wanted_ = at;
        // Until it is there, the nearest that this screen has seen.
        if (in_recording_ || history_.is_empty()) return;
    } else {
        wanted_.reset();
    }
    in_recording_ = recorded;
    shown_ = history().view(at);
    arrange();
}

void ViewModel::begin_in_the_past(core::UtcNs at) {
    only_recorded_ = paused_ = true;
    wanted_ = at;
}

void ViewModel::set_past(core::Result<History> past) {
    if (!wanted_) return;
    const core::UtcNs at = *std::exchange(wanted_, std::nullopt);
    if (!past || past->is_empty()) {
        past_problem_ = past ? "nothing was recorded at that time" : past.error().message;
        return;
    }
    // What lies between the end of the recording and the first view of this screen is nothing to stop at.
    if (!history_.is_empty() && at > past->last()) return show_moment(history_.first());
    recorded_ = std::move(*past);
    in_recording_ = true;
    shown_ = recorded_.view(at);
    arrange();
}

void ViewModel::go_live() {
    if (only_recorded_) return show_moment(end_of_time);
    paused_ = false;
    show_moment(history_.last());
}

void ViewModel::sort_by_next() {
    std::vector<std::string_view> ids{""};
    for (const auto& column : present::columns_for(extent_.table_width)) ids.push_back(column.field->id);
    const auto now = std::ranges::find(ids, query_.sort_by);
    const auto next = static_cast<std::size_t>(now - ids.begin()) + 1;
    query_.sort_by = ids[next % ids.size()];
    query_.reverse = false;
    arrange();
}

void ViewModel::sort_by(std::string_view id) {
    query_.reverse = query_.sort_by == id && !query_.reverse;
    query_.sort_by = id;
    arrange();
}

void ViewModel::edit_filter(std::string filter) {
    query_.filter = std::move(filter);
    arrange();
}

void ViewModel::arrange() {
    if (!shown_) return;
    rows_ = present::select_rows(shown_->destinations, query_);
    if (query_.sort_by.empty() && !query_.reverse) rows_ = calm_order(std::move(rows_), order_);
    order_.clear();
    for (const auto* row : rows_) order_.push_back(id_of(*row));
    row_index_ = selected_row();
}

Question ViewModel::question() const {
    Question question{.query = query_, .ladder_of = {}, .series_after = {}};
    if (screen_ == Screen::destination_details && row_ && !paused_) question.ladder_of = row_->endpoint;
    return question;
}

std::uint64_t ViewModel::seconds_behind() const {
    return history_.is_empty() ? 0 : seconds_between(shown_->at, history_.last());
}

std::uint64_t ViewModel::seconds_kept() const {
    return history().is_empty() ? 0 : seconds_between(history().first(), history().last());
}

std::vector<model::SeriesPoint> ViewModel::series(const model::DestinationRow& row) const {
    return history().series(id_of(row), shown_->at);
}

std::size_t ViewModel::selected_row() const {
    if (!row_ || rows_.empty()) return 0;
    const auto found = std::ranges::find(rows_, *row_, [](const auto* row) { return id_of(*row); });
    return found == rows_.end() ? std::min(row_index_, rows_.size() - 1)
                                : static_cast<std::size_t>(found - rows_.begin());
}

std::size_t ViewModel::first_row(std::size_t visible) const {
    if (visible == 0 || rows_.size() <= visible) return 0;
    const std::size_t selected = selected_row();
    const std::size_t line = std::min(row_line_, visible - 1);
    return std::min(selected - std::min(line, selected), rows_.size() - visible);
}

std::uint64_t ViewModel::matching() const {
    const bool is_part = !paused_ && shown_->destinations.size() >= Question::most_rows;
    return is_part ? std::max<std::uint64_t>(shown_->matching, rows_.size()) : rows_.size();
}

const model::DestinationRow* ViewModel::detailed_row() const {
    if (!shown_ || !row_) return nullptr;
    const auto found = std::ranges::find(shown_->destinations, *row_, id_of);
    return found == shown_->destinations.end() ? nullptr : &*found;
}

std::vector<const model::Incident*> ViewModel::incident_list() const {
    if (!shown_) return {};
    std::vector<const model::Incident*> list;
    for (const auto& group : present::group_incidents(shown_->incidents, true)) {
        list.push_back(group.root);
        list.insert(list.end(), group.symptoms.begin(), group.symptoms.end());
    }
    return list;
}

std::size_t ViewModel::selected_incident() const {
    const auto list = incident_list();
    const auto found =
        std::ranges::find_if(list, [&](const auto* incident) { return incident->id == incident_; });
    return found == list.end() ? 0 : static_cast<std::size_t>(found - list.begin());
}

const model::Incident* ViewModel::detailed_incident() const {
    return shown_ ? present::find_incident(shown_->incidents, incident_) : nullptr;
}

bool ViewModel::has_fitting_ladder() const {
    return ladder_ && row_ && ladder_target_ == row_->endpoint &&
           (!paused_ || (shown_ && shown_->at == ladder_at_));
}

const model::Ladder* ViewModel::ladder() const {
    return has_fitting_ladder() && *ladder_ ? &**ladder_ : nullptr;
}

std::string ViewModel::ladder_problem() const {
    return has_fitting_ladder() && !*ladder_ ? ladder_->error().message : std::string();
}

}  // namespace netwatch::top
