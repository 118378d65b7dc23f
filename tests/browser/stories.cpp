// SPDX-License-Identifier: Apache-2.0
// Writes a recording of an invented host:
//
//     netwatch_stories STORY FILE
//
// blocked: a rule on this host cuts off one service. hostile: the same, with names that attack who reads
// them. healthy: nothing. many: forty services that stop one after the other.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <cstdio>
#include <functional>
#include <map>
#include <string_view>

#include "support/story_recording.h"

namespace netwatch::support {
namespace {

constexpr double length_s = 240;

// Two services beside the one that the story is about.
Story busy() {
    Story story(900);
    story.healthy(0, length_s, 0.5, "10.4.7.30:5432", {2301, "orders"});
    story.healthy(0, length_s, 0.7, "[2001:db8:7::21]:8443", {2402, "sync"});
    for (int second = 1; second < length_s; ++second) story.walk_ends(second);
    return story;
}

Story with_blocked_service(Who who) {
    Story story = busy();
    story.loads_ruleset(118.2, 41);
    story.healthy(0, 120, 0.25, "10.4.7.21:443", who);
    for (double at = 120; at < 180; at += 0.5) story.cannot_leave(at, "10.4.7.21:443", 3.5, -1, who);
    for (int tick = 0; tick < 60; ++tick)
        story.netfilter_drops(120 + tick, "10.4.7.21:443", static_cast<std::uint64_t>(2 * tick + 2));
    story.healthy(184, length_s, 0.25, "10.4.7.21:443", who);
    Flow flow = story.flow(0.2, "10.4.7.30:5432", {2301, "orders"});
    for (int second = 1; second < length_s; ++second) {
        flow.sends(40, second % 60 == 7 ? 1 : 0);
        flow.receives(60);
        flow.counters.srtt_us = static_cast<std::uint32_t>(900 + 40 * (second % 9)) << 3;
        flow.since(0.3, 0.2);
        story.look(second, flow);
    }
    return story;
}

Story blocked() { return with_blocked_service({2214, "checkout"}); }

Story hostile() {
    Story story = with_blocked_service({2214, "</script><b>x"});
    auto host = model::make_record<netwatch_host>(boot_ns(-899));
    model::set_text(host.boot_id, "3f0e6a52-1111-4222-8333-444455556666");
    model::set_text(host.release, "6.18\x1b[2J\u202e{{DATA}}");
    model::set_text(host.hostname, "</script><img src=x onerror=\"document.title='owned'\">");
    host.hz = story_hz;
    host.abi_version = NETWATCH_ABI_VERSION;
    host.started_ns = boot_ns(-899);
    story.add(host);
    auto hook = model::make_record<netwatch_hook>(boot_ns(-898));
    hook.state = NETWATCH_HOOK_MISSING;
    model::set_text(hook.signal, "<!--<script>");
    model::set_text(hook.lost, "<svg onload=alert(1)>\xff\xfe &amp; ]]>");
    story.add(hook);
    story.loads_ruleset(118.7, 42, {813, "<img src=//x>"});
    auto region = model::make_record<netwatch_region>(boot_ns(-897));
    region.network[10] = region.network[11] = 0xff;
    region.network[12] = 10;
    region.bits = 8;
    model::set_text(region.name, "\"><style>*{display:none}</style>");
    story.add(region);
    return story;
}

Story many() {
    Story story = busy();
    for (int service = 0; service < 40; ++service) {
        const std::string peer = fmt::format("10.9.{}.1:80", service);
        const Who who{static_cast<std::uint32_t>(3000 + service), "worker"};
        story.healthy(0, 30 + service, 0.5, peer, who)
            .refused(30 + service, 90 + service, 0.5, peer, who)
            .healthy(90 + service, length_s, 0.5, peer, who);
    }
    return story;
}

}  // namespace
}  // namespace netwatch::support

int main(int argc, char** argv) {
    using namespace netwatch::support;
    const std::map<std::string_view, std::function<Story()>> stories{
        {"blocked", blocked}, {"hostile", hostile}, {"healthy", busy}, {"many", many}};
    const auto chosen = argc == 3 ? stories.find(argv[1]) : stories.end();
    if (chosen == stories.end()) {
        std::fputs("netwatch_stories blocked|hostile|healthy|many FILE\n", stderr);
        return 2;
    }
    write_recording(chosen->second(), length_s, argv[2]);
    return testing::UnitTest::GetInstance()->ad_hoc_test_result().Failed() ? 1 : 0;
}
