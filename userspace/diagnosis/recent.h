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
    void push_back(T item) {
        if (gone_ > 0 && items_.size() == items_.capacity()) drop_gone();
        items_.push_back(std::move(item));
    }
    void pop_front() {
        if (++gone_ == items_.size()) drop_gone();
    }
    template <typename Which>
    void remove_if(Which&& which) {
        drop_gone();
        std::erase_if(items_, std::forward<Which>(which));
    }

    [[nodiscard]] bool empty() const { return items_.empty(); }
    [[nodiscard]] std::size_t size() const { return items_.size() - gone_; }
    [[nodiscard]] T& front() { return items_[gone_]; }
    [[nodiscard]] const T& front() const { return items_[gone_]; }
    [[nodiscard]] T& back() { return items_.back(); }
    [[nodiscard]] const T& back() const { return items_.back(); }
    [[nodiscard]] const T& operator[](std::size_t index) const { return items_[gone_ + index]; }
    [[nodiscard]] auto begin() { return items_.begin() + offset(); }
    [[nodiscard]] auto end() { return items_.end(); }
    [[nodiscard]] auto begin() const { return items_.begin() + offset(); }
    [[nodiscard]] auto end() const { return items_.end(); }
    [[nodiscard]] auto rbegin() { return items_.rbegin(); }
    [[nodiscard]] auto rend() { return items_.rend() - offset(); }
    [[nodiscard]] auto rbegin() const { return items_.rbegin(); }
    [[nodiscard]] auto rend() const { return items_.rend() - offset(); }

private:
    [[nodiscard]] std::ptrdiff_t offset() const { return static_cast<std::ptrdiff_t>(gone_); }
    void drop_gone() {
        items_.erase(items_.begin(), items_.begin() + offset());
        gone_ = 0;
    }

    std::vector<T> items_;
    std::size_t gone_ = 0;  // of the first of them; they go when their room is needed, all at once
};

}  // namespace netwatch::diagnosis
