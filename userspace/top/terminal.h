// SPDX-License-Identifier: Apache-2.0
// Between the live view and FTXUI: frames become elements, events become keys.
#pragma once

#include <ftxui/component/event.hpp>
#include <ftxui/dom/elements.hpp>

#include "present/style.h"
#include "top/frame.h"
#include "top/view_model.h"

namespace netwatch::top {

// Colours from the terminal's own sixteen, so that they suit its background.
[[nodiscard]] ftxui::Element to_element(const Frame& frame, const present::Style& style);

// Whether the event was a key that the model knows; it has then been pressed.
bool apply(const ftxui::Event& event, ViewModel& model);

}  // namespace netwatch::top
