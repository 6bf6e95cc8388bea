// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// A program that sets a network interface up or takes it down.
enum NetworkScript {
  /// Runs `path` with the interface's name, and waits for its end.
  static func run(_ path: String, interface: String) throws(NetworkError) {
    var arguments: [UnsafeMutablePointer<CChar>?] = [strdup(path), strdup(interface), nil]
    defer { for argument in arguments { free(argument) } }
    // It gets neither our signal mask nor our ignored signals.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    var all = sigset_t()
    sigemptyset(&all)
    sigaddset(&all, SIGPIPE)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    var child: pid_t = 0
    let code = posix_spawn(&child, path, nil, &attributes, &arguments, environ)
    guard code == 0 else {
      throw .script(path: path, reason: "cannot be run: \(String(cString: strerror(code)))")
    }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 {
      guard errno == EINTR else { return }
    }
    guard status == 0 else {
      let reason =
        status & 0x7F == 0
        ? "ended with status \(status >> 8 & 0xFF)" : "was ended by signal \(status & 0x7F)"
      throw .script(path: path, reason: reason)
    }
  }
}
