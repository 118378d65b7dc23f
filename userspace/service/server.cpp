// SPDX-License-Identifier: Apache-2.0
#include "service/server.h"

#include <fmt/format.h>
#include <httplib.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "model/address.h"
#include "present/json.h"
#include "present/table.h"
#include "service/socket_path.h"

namespace netwatch::service {
namespace {

constexpr std::size_t threads = Broadcast::most_followers + 4;
constexpr std::time_t timeout_s = 5;
constexpr std::size_t largest_request_bytes = 4096;
constexpr auto follower_patience = std::chrono::milliseconds(500);
constexpr const char* json_type = "application/json";

void refuse(httplib::Response& response, int status, std::string_view error, std::string_view hint) {
    response.status = status;
    response.set_content(present::to_text(nlohmann::json{{"error", error}, {"hint", hint}}) + "\n",
                         json_type);
}

void answer(httplib::Response& response, const nlohmann::json& json) {
    response.set_content(present::to_text(json) + "\n", json_type);
}

std::optional<std::size_t> number_of(std::string_view text) {
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool is_whole = error == std::errc{} && end == text.data() + text.size();
    return is_whole ? std::optional(number) : std::nullopt;
}

bool asks_all(const httplib::Request& request) { return request.get_param_value("all") == "1"; }

bool is_open(const model::Incident& incident) {
    return shown_without_all(incident) && incident.state != model::IncidentState::resolved;
}

class HttpServer : public Server {
public:
    HttpServer(std::filesystem::path path, Pipeline& pipeline) : path_(std::move(path)), pipeline_(pipeline) {
        http_.set_address_family(AF_UNIX);
        http_.set_socket_options([](socket_t) {});
        http_.set_read_timeout(timeout_s);
        http_.set_write_timeout(timeout_s);
        http_.set_keep_alive_max_count(1);
        http_.set_payload_max_length(largest_request_bytes);
        http_.new_task_queue = [] { return new httplib::ThreadPool(threads); };
        add_routes();
    }
    ~HttpServer() override {
        http_.stop();
        if (!thread_.joinable()) return;
        thread_.join();
        ::unlink(path_.c_str());
    }

    core::Result<void> start() {
        if (auto prepared = prepare_socket_path(path_); !prepared) return prepared;
        {
            const PrivateUmask umask;
            if (!http_.bind_to_port(path_.string(), 80)) {
                return core::path_error("cannot listen on " + path_.string(), core::last_errno(),
                                        "give another place with --socket");
            }
        }
        share_with_group(path_);
        thread_ = std::thread([this] { http_.listen_after_bind(); });
        while (!http_.is_running()) std::this_thread::yield();  // stop() before that would not stop it
        return {};
    }

private:
    void add_routes();
    void view(const httplib::Request& request, httplib::Response& response);
    void incidents(const httplib::Request& request, httplib::Response& response);
    void follow(const httplib::Request& request, httplib::Response& response);
    void ladder(const httplib::Request& request, httplib::Response& response);
    void check(httplib::Response& response);

    const std::filesystem::path path_;
    Pipeline& pipeline_;
    httplib::Server http_;
    std::thread thread_;
};

void HttpServer::add_routes() {
    using Request = httplib::Request;
    using Response = httplib::Response;
    http_.Get("/v1/view", [this](const Request& q, Response& r) { view(q, r); });
    http_.Get("/v1/incidents", [this](const Request& q, Response& r) { incidents(q, r); });
    http_.Get("/v1/incidents/follow", [this](const Request& q, Response& r) { follow(q, r); });
    http_.Get("/v1/ladder", [this](const Request& q, Response& r) { ladder(q, r); });
    http_.Get("/v1/check", [this](const Request&, Response& r) { check(r); });
    http_.set_error_handler([](const Request& q, Response& r) {
        if (r.body.empty())
            refuse(r, r.status, fmt::format("nothing answers to {}", q.path), "ask for /v1/view");
    });
    http_.set_exception_handler([](const Request& q, Response& r, const std::exception_ptr&) {
        spdlog::error("a request for {} failed", q.path);
        refuse(r, 500, "the agent could not answer", "");
    });
}

// All of it, or with `rows` what present::narrowed() leaves.
void HttpServer::view(const httplib::Request& request, httplib::Response& response) {
    const auto view = pipeline_.view();
    if (!request.has_param("rows")) return answer(response, present::to_json(*view));
    const auto most = number_of(request.get_param_value("rows"));
    const auto series_after = core::parse_rfc3339(request.get_param_value("series_after"));
    if (!most || *most == 0 || !series_after) {
        return refuse(response, 400, "rows and series_after belong together",
                      "give rows=NUMBER and series_after=TIME as RFC 3339 has it");
    }
    const present::RowQuery query{.filter = request.get_param_value("filter"),
                                  .sort_by = request.get_param_value("sort"),
                                  .reverse = request.get_param_value("reverse") == "1"};
    answer(response, present::to_json(present::narrowed(*view, query, *most, *series_after)));
}

void HttpServer::incidents(const httplib::Request& request, httplib::Response& response) {
    auto list = nlohmann::json::array();
    for (const auto& incident : pipeline_.incidents()) {
        if (asks_all(request) || is_open(incident)) list.push_back(present::to_json(incident));
    }
    answer(response, list);
}

void HttpServer::follow(const httplib::Request& request, httplib::Response& response) {
    const auto follower = pipeline_.broadcast().follow(asks_all(request));
    if (!follower) {
        return refuse(response, 503, fmt::format("{} followers are there already", Broadcast::most_followers),
                      "end one of them first");
    }
    const auto provide = [follower](std::size_t, httplib::DataSink& sink) {
        const auto line = follower->next(follower_patience);
        if (line) {
            const std::string text = *line + "\n";
            return sink.write(text.data(), text.size());
        }
        if (follower->state() == Follower::State::waiting) return sink.is_writable();
        sink.done();
        return true;
    };
    const auto release = [this, follower](bool) { pipeline_.broadcast().unfollow(follower); };
    response.set_chunked_content_provider("application/x-ndjson", provide, release);
}

void HttpServer::ladder(const httplib::Request& request, httplib::Response& response) {
    const std::string text = request.get_param_value("target");
    const auto target = model::Endpoint::parse(text);
    if (!target) {
        return refuse(response, 400, fmt::format("\"{}\" is no address", text),
                      "give ADDRESS, ADDRESS:PORT or [IPV6]:PORT");
    }
    answer(response, present::to_json(pipeline_.ladder(*target)));
}

void HttpServer::check(httplib::Response& response) {
    const auto view = pipeline_.view();
    answer(response, {{"schema", "netwatch.check/1"},
                      {"kernel", view->kernel},
                      {"agent_version", view->agent_version},
                      {"dropped_followers", pipeline_.broadcast().dropped_followers()},
                      {"observer", present::to_json(view->observer)}});
}

}  // namespace

core::Result<std::unique_ptr<Server>> Server::listen(const std::filesystem::path& path, Pipeline& pipeline) {
    auto server = std::make_unique<HttpServer>(path, pipeline);
    if (auto started = server->start(); !started) return std::unexpected(started.error());
    return server;
}

}  // namespace netwatch::service
