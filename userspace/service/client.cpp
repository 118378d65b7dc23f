// SPDX-License-Identifier: Apache-2.0
#include "service/client.h"

#include <fmt/format.h>
#include <httplib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <mutex>

#include "core/fd.h"
#include "present/json.h"

namespace netwatch::service {
namespace {

constexpr std::time_t timeout_s = 10;
constexpr std::time_t follow_timeout_s = 365L * 24 * 3600;  // silence is what one hopes for
constexpr std::size_t longest_line_bytes = 16 << 20;

httplib::Client connect(const std::filesystem::path& socket, std::time_t read_timeout_s) {
    httplib::Client http(socket.string(), 80);
    http.set_address_family(AF_UNIX);
    http.set_socket_options([](socket_t) {});
    http.set_read_timeout(read_timeout_s);
    http.set_connection_timeout(timeout_s);
    return http;
}

// What the agent says about an error, {"error": …, "hint": …}.
core::Error error_of(const httplib::Response& response) {
    const auto json = present::parse_json(response.body);
    core::Error error{fmt::format("the agent answered with status {}", response.status)};
    if (!json || !json->is_object()) return error;
    error.message = json->value("error", error.message);
    error.hint = json->value("hint", std::string());
    if (response.status == 400) error.exit_code = core::ExitCode::usage;
    return error;
}

}  // namespace

// Who waits for an answer now.
struct Client::Waiting {
    std::mutex mutex;
    httplib::Client* http = nullptr; /* under mutex */
    bool cancelled = false;          /* under mutex */

    // Whether to go on.
    bool begin(httplib::Client& client) {
        const std::lock_guard lock(mutex);
        if (!cancelled) http = &client;
        return !cancelled;
    }
    void end() {
        const std::lock_guard lock(mutex);
        http = nullptr;
    }
};

Client::Client(std::filesystem::path socket)
    : socket_(std::move(socket)),
      waiting_(std::make_shared<Waiting>()) {}

void Client::cancel() const {
    const std::lock_guard lock(waiting_->mutex);
    waiting_->cancelled = true;
    if (waiting_->http != nullptr) waiting_->http->stop();
}

core::Result<void> Client::reach() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = socket_.string();
    if (path.size() >= sizeof(address.sun_path)) {
        return core::usage_error(
            fmt::format("the socket path {} is longer than {} bytes", path, sizeof(address.sun_path) - 1),
            "give a shorter one with --socket");
    }
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    const core::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return core::fail(fmt::format("no socket can be made: {}", std::strerror(errno)));
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    if (::connect(fd.get(), generic, sizeof(address)) == 0 || errno == EAGAIN) return {};
    if (errno == EACCES) {
        return core::fail(fmt::format("this user may not ask the agent at {}", path),
                          "run it with sudo, or join the group netwatch", core::ExitCode::privilege_missing);
    }
    return core::fail(fmt::format("no agent answers at {}", path),
                      "start one with `sudo netwatch agent`, or look live with `sudo netwatch top`");
}

core::Result<nlohmann::json> Client::get(const std::string& path) const {
    if (auto reached = reach(); !reached) return std::unexpected(reached.error());
    auto http = connect(socket_, timeout_s);
    if (!waiting_->begin(http)) return core::fail("the question was called off");
    const auto response = http.Get(path);
    waiting_->end();
    if (!response) {
        return core::fail(fmt::format("the agent at {} gave no answer: {}", socket_.string(),
                                      httplib::to_string(response.error())));
    }
    if (response->status != 200) return std::unexpected(error_of(*response));
    return present::parse_json(response->body);
}

core::Result<model::HostView> Client::view() const {
    const auto json = get("/v1/view");
    if (!json) return std::unexpected(json.error());
    return present::host_view_from_json(*json);
}

core::Result<model::HostView> Client::view(const ViewPart& part) const {
    const auto encoded = [](const std::string& text) { return httplib::detail::encode_query_param(text); };
    const auto json = get(fmt::format("/v1/view?rows={}&filter={}&sort={}&reverse={:d}&series_after={}",
                                      part.most_rows, encoded(part.query.filter), encoded(part.query.sort_by),
                                      part.query.reverse, encoded(core::to_rfc3339(part.series_after))));
    if (!json) return std::unexpected(json.error());
    return present::host_view_from_json(*json);
}

core::Result<model::Ladder> Client::ladder(const model::Endpoint& target) const {
    const auto json = get("/v1/ladder?target=" + httplib::detail::encode_query_param(target.to_string()));
    if (!json) return std::unexpected(json.error());
    return present::ladder_from_json(*json);
}

core::Result<void> Client::follow(bool all, const std::function<bool(std::string_view)>& on_line) const {
    if (auto reached = reach(); !reached) return reached;
    auto http = connect(socket_, follow_timeout_s);
    int status = 0;
    bool wanted = true;
    std::string waiting;
    const auto on_response = [&](const httplib::Response& response) {
        status = response.status;
        return true;
    };
    const auto on_bytes = [&](const char* data, std::size_t length) {
        waiting.append(data, length);
        if (status != 200) return waiting.size() < longest_line_bytes;
        std::size_t begin = 0;
        for (auto end = waiting.find('\n'); wanted && end != std::string::npos;
             end = waiting.find('\n', begin)) {
            wanted = on_line(std::string_view(waiting).substr(begin, end - begin));
            begin = end + 1;
        }
        waiting.erase(0, begin);
        return wanted && waiting.size() < longest_line_bytes;
    };
    const auto response =
        http.Get(all ? "/v1/incidents/follow?all=1" : "/v1/incidents/follow", on_response, on_bytes);
    if (!wanted) return {};
    if (status != 0 && status != 200) {
        httplib::Response said;
        said.status = status;
        said.body = waiting;
        return std::unexpected(error_of(said));
    }
    if (!response) return core::fail(fmt::format("the agent at {} is gone", socket_.string()));
    return {};
}

}  // namespace netwatch::service
