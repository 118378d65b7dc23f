// SPDX-License-Identifier: Apache-2.0
// The latest few of something, oldest first: what a std::deque does, except that an empty one takes no memory
// of its own (libstdc++'s takes 576 bytes), and every destination has several. One thread.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace netwatch::diagnosis {

template <typename T>
class Recent {
public:
    void push_back(T item) { items_.push_back(std::move(item)); }
    void pop_front() { items_.erase(items_.begin()); }
    template <typename Which>
    void remove_if(Which&& which) {
        std::erase_if(items_, std::forward<Which>(which));
    }

    [[nodiscard]] bool empty() const { return items_.empty(); }
    [[nodiscard]] std::size_t size() const { return items_.size(); }
    [[nodiscard]] T& front() { return items_.front(); }
    [[nodiscard]] const T& front() const { return items_.front(); }
    [[nodiscard]] T& back() { return items_.back(); }
    [[nodiscard]] const T& back() const { return items_.back(); }
    [[nodiscard]] const T& operator[](std::size_t index) const { return items_[index]; }
    [[nodiscard]] auto begin() { return items_.begin(); }
    [[nodiscard]] auto end() { return items_.end(); }
    [[nodiscard]] auto begin() const { return items_.begin(); }
    [[nodiscard]] auto end() const { return items_.end(); }
    [[nodiscard]] auto rbegin() { return items_.rbegin(); }
    [[nodiscard]] auto rend() { return items_.rend(); }
    [[nodiscard]] auto rbegin() const { return items_.rbegin(); }
    [[nodiscard]] auto rend() const { return items_.rend(); }

private:
    std::vector<T> items_;
};

}  // namespace netwatch::diagnosis
