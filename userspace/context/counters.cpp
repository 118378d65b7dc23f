// SPDX-License-Identifier: Apache-2.0
#include "context/counters.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <unordered_map>

#include "context/links.h"
#include "core/fd.h"

namespace netwatch::context {
namespace fs = std::filesystem;
namespace {

struct Wanted {
    std::uint32_t counter = 0;
    bool of_host = false;
};
using Keys = std::unordered_map<std::string_view, Wanted>;

constexpr std::string_view scope_host = "HOST";

// The catalogue's keys of one source.
Keys keys_of(std::uint32_t source) {
    Keys keys;
#define NETWATCH_KEY(number, upper, from, key, scope, words)                \
    if (source == NETWATCH_SOURCE_##from && !std::string_view(key).empty()) \
        keys[key] = {number, std::string_view(#scope) == scope_host};
    NETWATCH_COUNTERS(NETWATCH_KEY)
#undef NETWATCH_KEY
    return keys;
}

// The whole of a file in /proc, or nothing with the reason in errno.
std::optional<std::string> text_of(const fs::path& path) {
    const core::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return std::nullopt;
    std::string text;
    std::array<char, 16'384> piece{};
    for (;;) {
        const ssize_t got = ::read(file.get(), piece.data(), piece.size());
        if (got < 0) return std::nullopt;
        if (got == 0) return text;
        text.append(piece.data(), static_cast<std::size_t>(got));
    }
}

std::string_view next_word(std::string_view& rest, std::string_view blanks = " \t") {
    rest.remove_prefix(std::min(rest.find_first_not_of(blanks), rest.size()));
    const std::string_view word = rest.substr(0, rest.find_first_of(blanks));
    rest.remove_prefix(word.size());
    return word;
}

std::string_view next_line(std::string_view& rest) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    return line;
}

std::optional<std::uint64_t> number_of(std::string_view word, int base = 10) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value, base);
    if (error != std::errc{} || end == word.data()) return std::nullopt;
    return value;
}

class Reader {
public:
    Reader(const fs::path& proc, std::uint32_t netns, CounterReadings& into)
        : proc_(proc),
          netns_(netns),
          into_(into) {}

    // Calls `take` with the text of a file, or names the source as missing.
    template <typename Take>
    void with(std::uint32_t source, std::string_view file, Take take) {
        if (const auto text = text_of(proc_ / file)) return take(std::string_view(*text));
        into_.missing[source] = fmt::format("/proc/{}: {}", file, std::strerror(errno));
    }
    void put(const Wanted& wanted, std::uint64_t value) {
        into_.add(wanted.of_host ? 0 : netns_, wanted.counter, value);
    }
    void put(std::uint32_t counter, bool of_host, std::optional<std::uint64_t> value) {
        if (value) put({counter, of_host}, *value);
    }
    // netstat and snmp: a line of names and one of values, both after "Group:".
    void tables(std::uint32_t source, std::string_view file, const Keys& keys);
    // sockstat: "TCP: inuse 5 orphan 0".
    void pairs(std::uint32_t source, std::string_view file, const Keys& keys);
    // snmp6: a name and its value on each line.
    void lines(std::uint32_t source, std::string_view file, const Keys& keys);
    void softnet();
    void conntrack();
    void limits_of_namespace();
    void limits_of_host();
    void pressure();
    void cpu();

private:
    const fs::path& proc_;
    std::uint32_t netns_;
    CounterReadings& into_;
};

void Reader::tables(std::uint32_t source, std::string_view file, const Keys& keys) {
    with(source, file, [&](std::string_view rest) {
        std::string key;
        while (!rest.empty()) {
            std::string_view names = next_line(rest);
            std::string_view values = next_line(rest);
            const std::string_view group = next_word(names);
            if (group.empty() || next_word(values) != group) return;
            for (std::string_view name; !(name = next_word(names)).empty();) {
                const auto value = number_of(next_word(values));
                key.assign(group.substr(0, group.size() - 1)).append(".").append(name);
                const auto wanted = keys.find(key);
                if (value && wanted != keys.end()) put(wanted->second, *value);
            }
        }
    });
}

void Reader::pairs(std::uint32_t source, std::string_view file, const Keys& keys) {
    with(source, file, [&](std::string_view rest) {
        std::string key;
        while (!rest.empty()) {
            std::string_view line = next_line(rest);
            const std::string_view group = next_word(line);
            for (std::string_view name; !(name = next_word(line)).empty();) {
                const auto value = number_of(next_word(line));
                key.assign(group.substr(0, group.find(':'))).append(".").append(name);
                const auto wanted = keys.find(key);
                if (value && wanted != keys.end()) put(wanted->second, *value);
            }
        }
    });
}

void Reader::lines(std::uint32_t source, std::string_view file, const Keys& keys) {
    with(source, file, [&](std::string_view rest) {
        while (!rest.empty()) {
            std::string_view line = next_line(rest);
            const auto wanted = keys.find(next_word(line));
            if (wanted == keys.end()) continue;
            if (const auto value = number_of(next_word(line))) put(wanted->second, *value);
        }
    });
}

// A line for each CPU, hexadecimal: processed, dropped, squeezed, … (softnet_seq_show).
void Reader::softnet() {
    with(NETWATCH_SOURCE_SOFTNET, "thread-self/net/softnet_stat", [&](std::string_view rest) {
        std::uint64_t dropped = 0;
        std::uint64_t squeezed = 0;
        while (!rest.empty()) {
            std::string_view line = next_line(rest);
            next_word(line);
            dropped += number_of(next_word(line), 16).value_or(0);
            squeezed += number_of(next_word(line), 16).value_or(0);
        }
        put({NETWATCH_COUNTER_SOFTNET_DROPPED, true}, dropped);
        put({NETWATCH_COUNTER_SOFTNET_SQUEEZED, true}, squeezed);
    });
}

// A heading, then a line for each CPU, hexadecimal.
void Reader::conntrack() {
    static const Keys keys = keys_of(NETWATCH_SOURCE_CONNTRACK);
    constexpr std::uint32_t source = NETWATCH_SOURCE_CONNTRACK;
    with(source, "thread-self/net/stat/nf_conntrack", [&](std::string_view rest) {
        std::vector<std::pair<std::optional<Wanted>, std::uint64_t>> columns;
        std::string_view heading = next_line(rest);
        for (std::string_view name; !(name = next_word(heading)).empty();) {
            const auto wanted = keys.find(name);
            columns.emplace_back(wanted != keys.end() ? std::optional(wanted->second) : std::nullopt, 0);
        }
        while (!rest.empty()) {
            std::string_view line = next_line(rest);
            for (auto& [wanted, sum] : columns) sum += number_of(next_word(line), 16).value_or(0);
        }
        for (const auto& [wanted, sum] : columns) {
            if (wanted) put(*wanted, sum);
        }
    });
    for (const auto* name : {"nf_conntrack_count", "nf_conntrack_max"}) {
        with(source, fmt::format("sys/net/netfilter/{}", name), [&](std::string_view rest) {
            const std::string_view line = next_line(rest);
            if (const auto value = number_of(line)) put(keys.at(name), *value);
        });
    }
}

void Reader::limits_of_namespace() {
    with(NETWATCH_SOURCE_LIMITS, "sys/net/ipv4/ip_local_port_range", [&](std::string_view rest) {
        std::string_view line = next_line(rest);
        const auto first = number_of(next_word(line));
        const auto last = number_of(next_word(line));
        if (first && last && *first <= *last) put({NETWATCH_COUNTER_LOCAL_PORTS, false}, *last - *first + 1);
    });
}

// Where the agent lives in a namespace of its own the kernel does not show these.
void Reader::limits_of_host() {
    with(NETWATCH_SOURCE_LIMITS, "sys/net/ipv4/tcp_mem", [&](std::string_view rest) {
        std::string_view line = next_line(rest);
        next_word(line);
        put(NETWATCH_COUNTER_TCP_PRESSURE_PAGES, true, number_of(next_word(line)));
        put(NETWATCH_COUNTER_TCP_LIMIT_PAGES, true, number_of(next_word(line)));
    });
    with(NETWATCH_SOURCE_LIMITS, "sys/net/ipv4/tcp_max_orphans", [&](std::string_view rest) {
        put(NETWATCH_COUNTER_ORPHAN_LIMIT, true, number_of(next_line(rest)));
    });
}

// "some avg10=0.00 avg60=0.00 avg300=0.00 total=1234"
void Reader::pressure() {
    const auto total = [&](std::string_view file, std::string_view kind, std::uint32_t counter) {
        with(NETWATCH_SOURCE_PRESSURE, file, [&](std::string_view rest) {
            while (!rest.empty()) {
                std::string_view line = next_line(rest);
                if (next_word(line) != kind) continue;
                constexpr std::string_view mark = "total=";
                const std::size_t at = line.find(mark);
                if (at == std::string_view::npos) continue;
                put(counter, true, number_of(line.substr(at + mark.size())));
            }
        });
    };
    total("pressure/cpu", "some", NETWATCH_COUNTER_CPU_WAITED_US);
    total("pressure/memory", "full", NETWATCH_COUNTER_MEMORY_STALLED_US);
}

// "cpu  user nice system idle iowait irq softirq steal …", then a line for each CPU (proc_stat(5)).
void Reader::cpu() {
    with(NETWATCH_SOURCE_CPU, "stat", [&](std::string_view rest) {
        constexpr int fields_before_steal = 7;
        std::uint64_t cpus = 0;
        while (rest.starts_with("cpu")) {
            std::string_view line = next_line(rest);
            if (next_word(line) != "cpu") {
                ++cpus;
                continue;
            }
            for (int i = 0; i < fields_before_steal; ++i) next_word(line);
            put(NETWATCH_COUNTER_STEAL_TICKS, true, number_of(next_word(line)));
        }
        put({NETWATCH_COUNTER_CPUS, true}, cpus);
    });
}

}  // namespace

void read_namespace_files(const fs::path& proc, std::uint32_t netns, CounterReadings& into) {
    static const Keys netstat = keys_of(NETWATCH_SOURCE_NETSTAT);
    static const Keys snmp = keys_of(NETWATCH_SOURCE_SNMP);
    static const Keys snmp6 = keys_of(NETWATCH_SOURCE_SNMP6);
    static const Keys sockstat = keys_of(NETWATCH_SOURCE_SOCKSTAT);
    Reader reader(proc, netns, into);
    reader.tables(NETWATCH_SOURCE_NETSTAT, "thread-self/net/netstat", netstat);
    reader.tables(NETWATCH_SOURCE_SNMP, "thread-self/net/snmp", snmp);
    reader.lines(NETWATCH_SOURCE_SNMP6, "thread-self/net/snmp6", snmp6);
    reader.pairs(NETWATCH_SOURCE_SOCKSTAT, "thread-self/net/sockstat", sockstat);
    reader.conntrack();
    reader.limits_of_namespace();
}

void read_host_files(const fs::path& proc, CounterReadings& into) {
    Reader reader(proc, 0, into);
    reader.softnet();
    reader.limits_of_host();
    reader.pressure();
    reader.cpu();
}

std::map<std::uint32_t, std::uint64_t> allowances(std::span<const std::string> names,
                                                  std::span<const std::uint64_t> values) {
    static const Keys keys = keys_of(NETWATCH_SOURCE_ALLOWANCES);
    std::map<std::uint32_t, std::uint64_t> found;
    for (std::size_t i = 0; i < std::min(names.size(), values.size()); ++i) {
        // Some drivers count them for each queue, too: "queue_0_…" is part of the sum.
        if (const auto wanted = keys.find(names[i]); wanted != keys.end())
            found[wanted->second.counter] = values[i];
    }
    return found;
}

HostCounters::HostCounters(std::vector<fs::path> netns_paths) : namespaces_(std::move(netns_paths)) {}

void HostCounters::read_allowances(std::uint32_t netns, std::uint32_t ifindex, CounterReadings& into) {
    const std::string& name = into.interfaces.at({netns, ifindex});
    const auto known = without_allowance_.find({netns, ifindex});
    if (known != without_allowance_.end() && known->second == name) return;
    const auto names = ethtool_names(name);
    const bool shows = !allowances(names, std::vector<std::uint64_t>(names.size())).empty();
    if (!shows) {
        without_allowance_[{netns, ifindex}] = name;
        return;
    }
    for (const auto& [counter, value] : allowances(names, ethtool_values(name, names.size())))
        into.add(netns, counter, value, ifindex);
    into.missing.erase(NETWATCH_SOURCE_ALLOWANCES);
}

void HostCounters::read_links(std::uint32_t netns, CounterReadings& into) {
    const auto links = list_links();
    if (!links) into.missing[NETWATCH_SOURCE_LINKS] = links.error().message;
    for (const Link& link : links ? *links : std::vector<Link>{}) {
        if (link.loopback) continue;
        into.interfaces[{netns, link.ifindex}] = link.name;
        into.add(netns, NETWATCH_COUNTER_RX_ERRORS, link.rx_errors, link.ifindex);
        into.add(netns, NETWATCH_COUNTER_RX_MISSED, link.rx_missed, link.ifindex);
        into.add(netns, NETWATCH_COUNTER_TX_ERRORS, link.tx_errors, link.ifindex);
        into.add(netns, NETWATCH_COUNTER_TX_DROPPED, link.tx_dropped, link.ifindex);
        read_allowances(netns, link.ifindex, into);
    }
    const auto qdiscs = list_root_qdiscs();
    if (!qdiscs) into.missing[NETWATCH_SOURCE_QDISCS] = qdiscs.error().message;
    for (const Qdisc& qdisc : qdiscs ? *qdiscs : std::vector<Qdisc>{}) {
        if (!into.interfaces.contains({netns, qdisc.ifindex})) continue;
        into.add(netns, NETWATCH_COUNTER_QDISC_PACKETS, qdisc.packets, qdisc.ifindex);
        into.add(netns, NETWATCH_COUNTER_QDISC_DROPS, qdisc.drops, qdisc.ifindex);
    }
}

CounterReadings HostCounters::read(std::span<const Place> places, std::vector<std::uint32_t>& gone) {
    static const fs::path proc = "/proc";
    CounterReadings all;
    all.missing[NETWATCH_SOURCE_ALLOWANCES] = "no interface here counts them: they are a cloud NIC's";
    read_host_files(proc, all);
    for (const Place& place : places) {
        const bool reached = namespaces_.within(place.netns, place.pid, [&] {
            read_namespace_files(proc, place.netns, all);
            read_links(place.netns, all);
        });
        if (!reached) gone.push_back(place.netns);
    }
    std::erase_if(without_allowance_, [&](const auto& one) { return !all.interfaces.contains(one.first); });
    return all;
}

}  // namespace netwatch::context
