// SPDX-License-Identifier: Apache-2.0
// A capture that gives what a test hands it, at the time at which the test hands it.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/fd.h"
#include "model/record.h"
#include "service/capture.h"
#include "service/host_facts.h"

namespace netwatch::support {

// What the test holds; any thread.
class Script {
public:
    Script() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

    template <typename R>
    void give(const R& record) {
        const auto bytes = model::bytes_of(record);
        {
            const std::lock_guard lock(mutex_);
            waiting_.emplace_back(bytes.begin(), bytes.end());
        }
        const std::uint64_t one = 1;
        (void)!::write(event_.get(), &one, sizeof(one));
    }
    void fail(std::string why) {
        const std::lock_guard lock(mutex_);
        failure_ = std::move(why);
    }

private:
    friend class ScriptedCapture;
    std::mutex mutex_;
    std::vector<std::vector<std::byte>> waiting_;
    std::string failure_;
    core::Fd event_;
};

class ScriptedCapture : public service::Capture {
public:
    explicit ScriptedCapture(std::shared_ptr<Script> script) : script_(std::move(script)) {}

    core::Result<void> introduce(const service::OnRecord& on_record) override {
        auto hook = model::make_record<netwatch_hook>(service::boot_now());
        model::set_text(hook.signal, "life cycle");
        model::set_text(hook.hook, "a script");
        hook.state = NETWATCH_HOOK_BEST;
        on_record(model::bytes_of(hook));
        return {};
    }
    int wait_fd() const override { return script_->event_.get(); }
    core::Result<void> poll(const service::OnRecord& on_record) override {
        std::uint64_t count = 0;
        (void)!::read(script_->event_.get(), &count, sizeof(count));
        std::vector<std::vector<std::byte>> taken;
        {
            const std::lock_guard lock(script_->mutex_);
            if (!script_->failure_.empty()) return core::fail(script_->failure_);
            taken = std::exchange(script_->waiting_, {});
        }
        for (const auto& record : taken) on_record(record);
        return {};
    }
    core::Result<void> walk(const service::OnRecord& on_record) override {
        auto end = model::make_record<netwatch_walk_end>(service::boot_now());
        end.started_ns = end.header.at_ns;
        on_record(model::bytes_of(end));
        return {};
    }

private:
    std::shared_ptr<Script> script_;
};

}  // namespace netwatch::support
