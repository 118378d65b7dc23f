// SPDX-License-Identifier: Apache-2.0
#include "top/view_model.h"

#include <algorithm>

#include "model/fields.h"

namespace netwatch::top {
namespace {

constexpr std::ptrdiff_t page = 10;
constexpr std::ptrdiff_t everything = 1'000'000'000;
constexpr std::size_t longest_filter = 200;

RowId id_of(const model::DestinationRow& row) { return {row.ref.endpoint, row.netns, row.perspective}; }

std::size_t moved(std::size_t from, std::ptrdiff_t by, std::size_t size) {
    const std::ptrdiff_t last = size == 0 ? 0 : static_cast<std::ptrdiff_t>(size) - 1;
    return static_cast<std::size_t>(
        std::clamp<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(from) + by, 0, last));
}

}  // namespace

void ViewModel::set_view(model::HostView view) {
    if (paused_ && view_) return;
    view_ = std::move(view);
}

void ViewModel::set_ladder(const model::Endpoint& target, core::Result<model::Ladder> ladder) {
    if (paused_ && ladder_target_ == target && ladder_) return;
    ladder_target_ = target;
    ladder_ = std::move(ladder);
}

void ViewModel::press(Key key) {
    if (typing_filter_) {
        if (key == Key::enter) typing_filter_ = false;
        if (key == Key::escape) typing_filter_ = false, query_.filter.clear();
        if (key == Key::backspace) {
            // One character, however many bytes it has.
            while (!query_.filter.empty() && (query_.filter.back() & '\xc0') == '\x80')
                query_.filter.pop_back();
            if (!query_.filter.empty()) query_.filter.pop_back();
        }
        return;
    }
    switch (key) {
        case Key::up: return move(-1);
        case Key::down: return move(1);
        case Key::page_up: return move(-page);
        case Key::page_down: return move(page);
        case Key::home: return move(-everything);
        case Key::end: return move(everything);
        case Key::enter: return open_details();
        case Key::escape:
        case Key::backspace: return go_back();
        case Key::help: return show(Screen::help);
    }
}

void ViewModel::type(std::string_view character) {
    if (typing_filter_) return type_into_filter(character);
    if (character.size() == 1) command(character.front());
}

void ViewModel::type_into_filter(std::string_view character) {
    if (query_.filter.size() + character.size() <= longest_filter) query_.filter += character;
}

void ViewModel::command(char key) {
    switch (key) {
        case 'q': quit_ = true; return;
        case 'j': return move(1);
        case 'k': return move(-1);
        case 'g': return move(-everything);
        case 'G': return move(everything);
        case ' ': paused_ = !paused_; return;
        case 'i': return show(Screen::incidents);
        case 'h': return show(Screen::hooks);
        case '?': return show(Screen::help);
        case '/':
            show(Screen::destinations);
            typing_filter_ = true;
            return;
        case 's': return sort_by_next();
        case 'r': query_.reverse = !query_.reverse; return;
        default: return;
    }
}

void ViewModel::show(Screen screen) {
    // The same key again leads back.
    if (screen_ == screen && screen != Screen::destinations) return go_back();
    screen_ = screen;
    scroll_ = 0;
}

void ViewModel::go_back() {
    scroll_ = 0;
    if (screen_ == Screen::destinations) {
        query_.filter.clear();
    } else if (screen_ == Screen::incident_details) {
        screen_ = came_from_;
    } else {
        screen_ = Screen::destinations;
    }
}

void ViewModel::open_details() {
    if (!view_) return;
    if (screen_ == Screen::destinations) {
        const auto shown = rows();
        if (shown.empty()) return;
        row_ = id_of(*shown[selected_row()]);
        screen_ = Screen::destination_details;
    } else if (screen_ == Screen::incidents) {
        const auto list = incident_list();
        if (list.empty()) return;
        incident_ = list[selected_incident()]->id;
        came_from_ = Screen::incidents;
        screen_ = Screen::incident_details;
    } else if (screen_ == Screen::destination_details) {
        const auto* row = detailed_row();
        if (row == nullptr || !row->incident) return;
        incident_ = *row->incident;
        came_from_ = Screen::destination_details;
        screen_ = Screen::incident_details;
    }
    scroll_ = 0;
}

void ViewModel::move(std::ptrdiff_t by) {
    if (screen_ == Screen::destinations || screen_ == Screen::incidents) return move_selection(by);
    scroll_ = moved(scroll_, by, static_cast<std::size_t>(everything));
}

void ViewModel::move_selection(std::ptrdiff_t by) {
    if (!view_) return;
    if (screen_ == Screen::destinations) {
        const auto shown = rows();
        if (!shown.empty()) row_ = id_of(*shown[moved(selected_row(), by, shown.size())]);
        return;
    }
    const auto list = incident_list();
    if (!list.empty()) incident_ = list[moved(selected_incident(), by, list.size())]->id;
}

void ViewModel::sort_by_next() {
    std::vector<std::string_view> ids{""};
    for (const auto& field : model::destination_fields()) {
        if (field.width > 0) ids.push_back(field.id);
    }
    const auto now = std::ranges::find(ids, query_.sort_by);
    const auto next = static_cast<std::size_t>(now - ids.begin()) + 1;
    query_.sort_by = ids[next % ids.size()];
}

std::optional<model::Endpoint> ViewModel::wanted_ladder() const {
    if (screen_ != Screen::destination_details) return std::nullopt;
    return row_ ? std::optional(row_->endpoint) : std::nullopt;
}

std::vector<const model::DestinationRow*> ViewModel::rows() const {
    if (!view_) return {};
    return present::select_rows(view_->destinations, query_);
}

std::size_t ViewModel::selected_row() const {
    const auto shown = rows();
    const auto found =
        std::ranges::find_if(shown, [&](const auto* row) { return row_ && id_of(*row) == *row_; });
    return found == shown.end() ? 0 : static_cast<std::size_t>(found - shown.begin());
}

const model::DestinationRow* ViewModel::detailed_row() const {
    if (!view_ || !row_) return nullptr;
    const auto found =
        std::ranges::find_if(view_->destinations, [&](const auto& row) { return id_of(row) == *row_; });
    return found == view_->destinations.end() ? nullptr : &*found;
}

std::vector<const model::Incident*> ViewModel::incident_list() const {
    if (!view_) return {};
    std::vector<const model::Incident*> list;
    for (const auto& group : present::group_incidents(view_->incidents, true)) {
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
    return view_ ? present::find_incident(view_->incidents, incident_) : nullptr;
}

const model::Ladder* ViewModel::ladder() const {
    const bool is_wanted = ladder_ && ladder_target_ == wanted_ladder();
    return is_wanted && *ladder_ ? &**ladder_ : nullptr;
}

std::string ViewModel::ladder_problem() const {
    const bool is_wanted = ladder_ && ladder_target_ == wanted_ladder();
    return is_wanted && !*ladder_ ? ladder_->error().message : std::string();
}

}  // namespace netwatch::top
