// SPDX-License-Identifier: Apache-2.0
#include "recorder/opening.h"

#include <string_view>

#include "model/record.h"

namespace netwatch::recorder {
namespace {

constexpr std::size_t most_bytes = 4U << 20;

// What a record describes. Equal subjects: the later record replaces the earlier.
class Subject {
public:
    explicit Subject(const netwatch_header& header) { add(header.kind).add(header.netns); }
    template <typename T>
    Subject& add(const T& value) {
        const auto bytes = std::as_bytes(std::span(&value, 1));
        text_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        return *this;
    }
    [[nodiscard]] std::string take() { return std::move(text_); }

private:
    std::string text_;
};

std::string subject_of(const netwatch_change& change) {
    Subject subject(change.header);
    subject.add(change.subject).add(change.ifindex);
    if (change.subject != NETWATCH_CHANGE_LINK)
        subject.add(change.ip).add(change.prefix_bits).add(change.table).add(change.priority);
    if (change.subject == NETWATCH_CHANGE_ROUTE) subject.add(change.gateway);
    return subject.take();
}

// Empty: the record is no description of the host.
std::string subject_of(const model::Record& record) {
    return std::visit(
        model::overloaded{
            [](const netwatch_host& r) { return Subject(r.header).take(); },
            [](const netwatch_hook& r) { return Subject(r.header).add(r.signal).take(); },
            [](const netwatch_drop_reason& r) { return Subject(r.header).add(r.reason).take(); },
            [](const netwatch_cgroup& r) { return Subject(r.header).add(r.cgroup_id).take(); },
            [](const netwatch_region& r) { return Subject(r.header).add(r.network).add(r.bits).take(); },
            [](const netwatch_counter_source& r) { return Subject(r.header).add(r.source).take(); },
            [](const netwatch_account& r) { return Subject(r.header).add(r.kind).take(); },
            [](const netwatch_change& r) { return subject_of(r); },
            [](const auto&) { return std::string(); },
        },
        record);
}

bool is_end(const model::Record& record) {
    const auto* change = std::get_if<netwatch_change>(&record);
    return change != nullptr && change->action == NETWATCH_CHANGE_REMOVED;
}

}  // namespace

void Opening::add(std::span<const std::byte> bytes) {
    const auto record = model::decode(bytes);
    if (!record) return;
    std::string subject = subject_of(*record);
    if (subject.empty()) return;
    forget(subject);
    if (is_end(*record) || bytes_ + bytes.size() > most_bytes) return;
    bytes_ += bytes.size();
    descriptions_.push_back({subject, {bytes.begin(), bytes.end()}});
    by_subject_.emplace(std::move(subject), std::prev(descriptions_.end()));
}

void Opening::forget(const std::string& subject) {
    const auto known = by_subject_.find(subject);
    if (known == by_subject_.end()) return;
    bytes_ -= known->second->record.size();
    descriptions_.erase(known->second);
    by_subject_.erase(known);
}

std::vector<std::byte> Opening::records() const {
    std::vector<std::byte> all;
    all.reserve(bytes_);
    for (const auto& each : descriptions_) all.insert(all.end(), each.record.begin(), each.record.end());
    return all;
}

}  // namespace netwatch::recorder
