// SPDX-License-Identifier: Apache-2.0
// The life of incidents: findings open and revise them, real successes resolve them, silence makes them
// stale. docs/schemas/ and the contract's «Life of an incident» say what holds. Bounded. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "diagnosis/finding.h"
#include "diagnosis/scene.h"
#include "model/incident.h"

namespace netwatch::diagnosis {

// What is the same for all incidents of a run.
struct BookContext {
    std::string boot_id;
    std::uint64_t lost_records = 0;  // so far
    std::vector<std::string> missing_hooks;
};

class IncidentBook {
public:
    explicit IncidentBook(std::size_t capacity) : capacity_(capacity) {}

    // Takes in what the judges say now; incidents that no finding names are checked for healing.
    void apply(const std::vector<Finding>& findings, const Scene& scene, const BookContext& context);
    void resume(std::vector<model::Incident> incidents);

    [[nodiscard]] std::vector<model::Incident> take_changes();
    [[nodiscard]] std::vector<model::Incident> all() const;
    // The active incident that explains a destination, or null; reachability before loss before service.
    [[nodiscard]] const model::Incident* explaining(const DestinationKey& key) const;
    [[nodiscard]] bool needs(const DestinationKey& key) const;
    // Addresses whose loss is being followed.
    [[nodiscard]] std::vector<AddressKey> lossy_addresses() const;

private:
    struct Entry {
        model::Incident incident;
        Family family = Family::reachability;
        std::string group;
        std::set<DestinationKey> members;
        std::map<DestinationKey, std::pair<std::uint64_t, std::uint64_t>>
            before;                      // attempts, failures before the onset
        std::set<AddressKey> addresses;  // of an incident of loss or size
        std::optional<ProcessKey> process;
        std::optional<Tally> tally;              // of what it is about, if not connects
        std::optional<model::FailureType> root;  // behind the incident's own type
        core::BootNs opened_ns = 0;
        core::BootNs onset_ns = 0;       // of what it affects first
        bool passed_on = false;          // a symptom of what the service itself calls: it heals by itself
        core::BootNs orphaned_ns = 0;    // since when its root is over; 0: it is not
        core::BootNs last_named_ns = 0;  // when a finding last named it
        core::BootNs detected_ns = 0;    // when its present type was first named
        std::uint64_t lost_before = 0;
        std::string told;  // what take_changes() last said of it
        [[nodiscard]] bool active() const { return incident.state != model::IncidentState::resolved; }
        [[nodiscard]] bool is_suspicion() const { return incident.state == model::IncidentState::suspected; }
    };

    Entry* match(const Finding& finding);
    Entry& open(const Finding& finding, const Scene& scene, const BookContext& context);
    Entry* reopen(const Finding& finding, const Scene& scene);
    [[nodiscard]] static bool healing_narrows(const Entry& entry, const Finding& finding, const Scene& scene);
    void revise(Entry& entry, const Finding& finding, const Scene& scene, const BookContext& context);
    // That entry is about something that the root has in it, or explains.
    [[nodiscard]] static bool accounts_for(const Entry& root, const Entry& entry, const Scene& scene);
    void attach_symptoms(Entry& root, const Scene& scene);
    void release_symptoms(const Entry& root, const Scene& scene);
    [[nodiscard]] static bool explains(const Entry& cause, Family family, const DestinationKey& key,
                                       const Scene& scene);
    bool explained_by_another(const Finding& finding, const Scene& scene) const;
    void trace_cascades(const Scene& scene);
    [[nodiscard]] const Entry* passes_on_to(const Entry& entry, const Scene& scene) const;
    [[nodiscard]] const Entry* root_of(const Entry& entry, const Scene& scene) const;
    void make_symptom(Entry& entry, const Entry& root);
    void outlive_root(Entry& entry, bool root_is_over, const Scene& scene);
    [[nodiscard]] const Entry* find_entry(const std::optional<std::string>& id) const;
    void refresh(Entry& entry, const Scene& scene, const BookContext& context);
    void check_life(Entry& entry, const Scene& scene);
    [[nodiscard]] bool healed(const Entry& entry, const Scene& scene) const;
    [[nodiscard]] static bool handshakes_succeed(const Entry& entry, const Scene& scene);
    [[nodiscard]] bool reachable_again(const Entry& entry, const Scene& scene) const;
    void resolve(Entry& entry, model::Resolution how, const Scene& scene);
    void forget_surplus();

    void note_needed();

    std::size_t capacity_;
    std::vector<Entry> entries_;                                  // in the order of opening
    std::unordered_set<DestinationKey, DestinationHash> needed_;  // members of the active ones
};

}  // namespace netwatch::diagnosis
