// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/engine.h"

#include "diagnosis/state.h"

namespace netwatch::diagnosis {

Engine::Engine(Limits limits) : state_(std::make_unique<State>(limits)) {}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;

void Engine::observe(model::RecordRef record) { state_->observe(record); }
void Engine::resume(std::vector<model::Incident> incidents) { state_->resume(std::move(incidents)); }
std::vector<model::Incident> Engine::take_changes() { return state_->take_changes(); }
Past Engine::take_past(bool all) { return state_->take_past(all); }
std::vector<model::Incident> Engine::incidents() const { return state_->incidents(); }
model::HostView Engine::view() const { return state_->view(); }
model::Ladder Engine::ladder(const model::Endpoint& target) const { return state_->ladder(target); }

}  // namespace netwatch::diagnosis
