"""Other kernels under emulation: what loads there, and what the agent says."""
