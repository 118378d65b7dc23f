"""The fault lab: network namespaces, real software, injected faults, and the verdicts judged against them."""
