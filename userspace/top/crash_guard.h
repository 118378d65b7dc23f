// SPDX-License-Identifier: Apache-2.0
// Gives the terminal back when the process dies of a fault. FTXUI's own handlers only count such a signal and
// return to the instruction that faulted: the process would hang in a terminal without echo. One at a time.
#pragma once

namespace netwatch::top {

class CrashGuard {
public:
    // Remembers the terminal on standard input as it is now.
    CrashGuard();
    ~CrashGuard();
    CrashGuard(const CrashGuard&) = delete;
    CrashGuard& operator=(const CrashGuard&) = delete;

    // Puts itself before whoever has the signals now; again after each time that FTXUI has installed itself
    // (at its start, and when the process goes on after SIGTSTP).
    void arm() const;
};

}  // namespace netwatch::top
