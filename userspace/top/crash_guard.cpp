// SPDX-License-Identifier: Apache-2.0
#include "top/crash_guard.h"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <string_view>

namespace netwatch::top {
namespace {

constexpr std::array faults{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
// Mouse reports off, line wrap and cursor on, the screen from before.
constexpr std::string_view restore =
    "\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?7h\x1b[?25h\x1b[?1049l\r\n"
    "netwatch top died of a fault\r\n";

// What a signal handler reads cannot be handed to it.
termios before;
bool is_known = false;

// Only what signal-safety(7) allows. SA_RESETHAND: the signal that is raised again ends the process.
void give_back(int signal) {
    if (is_known) tcsetattr(STDIN_FILENO, TCSANOW, &before);
    [[maybe_unused]] const auto written = ::write(STDOUT_FILENO, restore.data(), restore.size());
    raise(signal);
}

}  // namespace

CrashGuard::CrashGuard() { is_known = tcgetattr(STDIN_FILENO, &before) == 0; }

CrashGuard::~CrashGuard() {
    for (const int fault : faults) ::signal(fault, SIG_DFL);
}

void CrashGuard::arm() const {
    struct sigaction action{};
    action.sa_handler = give_back;
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER);
    for (const int fault : faults) ::sigaction(fault, &action, nullptr);
}

}  // namespace netwatch::top
