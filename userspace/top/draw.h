// SPDX-License-Identifier: Apache-2.0
// The picture that belongs to a state of the live view. Pure; one thread.
#pragma once

#include <cstddef>

#include "top/frame.h"
#include "top/view_model.h"

namespace netwatch::top {

// Smaller screens get the answer in words and nothing else.
constexpr std::size_t least_width = 50;
constexpr std::size_t least_height = 12;

[[nodiscard]] Picture draw(const ViewModel& model, std::size_t width, std::size_t height);

}  // namespace netwatch::top
