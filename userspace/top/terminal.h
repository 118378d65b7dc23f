// SPDX-License-Identifier: Apache-2.0
// Between the live view and FTXUI: frames become elements, events become keys.
#pragma once

#include <ftxui/component/event.hpp>
#include <ftxui/component/mouse.hpp>
#include <ftxui/dom/elements.hpp>

#include "present/style.h"
#include "top/frame.h"
#include "top/view_model.h"

namespace netwatch::top {

// Colours from the terminal's own sixteen, so that they suit its background.
[[nodiscard]] ftxui::Element to_element(const Frame& frame, const present::Style& style);

// Keys and mouse of one terminal.
class Input {
public:
    // Whether the event was a key or a click that the model knows; it has then been told. `frame` is what the
    // screen shows.
    bool apply(const ftxui::Event& event, const Frame& frame, ViewModel& model);

private:
    bool apply_mouse(const ftxui::Mouse& mouse, const Frame& frame, ViewModel& model);

    bool is_down_ = false; /* the left button: each move while it is held is told like a press */
};

}  // namespace netwatch::top
