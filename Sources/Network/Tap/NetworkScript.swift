// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// A program that sets a network interface up, or takes it down, or makes it.
enum NetworkScript {
  /// Runs the program at `path`, and waits for its end.
  /// - Parameter descriptor: one of ours that it gets as the same number.
  static func run(_ path: String, _ arguments: [String], passing descriptor: Int32? = nil)
    throws(NetworkError)
  {
    var arguments: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    // Onto itself: it stays open in the program, and only there (glibc 2.29).
    if let descriptor { posix_spawn_file_actions_adddup2(&actions, descriptor, descriptor) }
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
    let code = posix_spawn(&child, path, &actions, &attributes, &arguments, environ)
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
