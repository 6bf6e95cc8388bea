// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc
import OptionSyntax

/// `-daemonize`: the process that was started ends when its child is ready, with status 0, or has failed, with the child's
/// status. Until then the child writes its messages to the terminal; afterwards it has none.
struct Daemon {
  private let ready: Int32

  /// Goes on in a child without a controlling terminal. Called before there is any other thread.
  ///
  /// The child does `body` on a new thread: Swift's runtime knows the first one by its number from before the fork, and with
  /// that its locks are not safe.
  /// - Returns: in the child, what `body` returned. The parent waits, and exits.
  static func run(_ body: @escaping (Daemon) -> Int32) throws(OptionError) -> Int32 {
    let work = Work(daemon: try Daemon(), body: body)
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { context in
        if let context {
          let work = Unmanaged<Work>.fromOpaque(context).takeUnretainedValue()
          work.status = work.body(work.daemon)
        }
        return nil
      }, Unmanaged.passUnretained(work).toOpaque())
    guard code == 0 else {
      throw OptionError("-daemonize: cannot make a thread: \(String(cString: strerror(code)))")
    }
    return withExtendedLifetime(work) {
      pthread_join(thread, nil)
      return work.status
    }
  }

  private final class Work {
    let daemon: Daemon
    let body: (Daemon) -> Int32
    var status: Int32 = 1
    init(daemon: Daemon, body: @escaping (Daemon) -> Int32) { (self.daemon, self.body) = (daemon, body) }
  }

  private init() throws(OptionError) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw Self.failure("make a pipe") }
    _ = martlet_fcntl(ends[0], F_SETFD, Int(FD_CLOEXEC))
    _ = martlet_fcntl(ends[1], F_SETFD, Int(FD_CLOEXEC))
    let child = martlet_fork()
    guard child >= 0 else { throw Self.failure("make a process") }
    if child > 0 {
      close(ends[1])
      exit(Self.status(of: child, told: ends[0]))
    }
    close(ends[0])
    ready = ends[1]
    _ = setsid()
  }

  private static func failure(_ what: String) -> OptionError {
    OptionError("-daemonize: cannot \(what): \(String(cString: strerror(errno)))")
  }

  /// Waits until the child says that it is ready, or ends.
  private static func status(of child: Int32, told: Int32) -> Int32 {
    var byte: UInt8 = 0
    var count = read(told, &byte, 1)
    while count < 0 && errno == EINTR { count = read(told, &byte, 1) }
    if count == 1 { return 0 }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    // WIFEXITED and WEXITSTATUS. It was not ready, even if it ended cleanly: somebody ended it.
    return status & 0x7F == 0 ? max(1, status >> 8 & 0xFF) : 1
  }

  /// Lets go of the terminal and the directory, and tells the parent.
  func becomeReady() {
    let null = martlet_open("/dev/null", O_RDWR | O_CLOEXEC, 0)
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where null >= 0 { dup2(null, descriptor) }
    if null > STDERR_FILENO { close(null) }
    _ = chdir("/")
    var byte: UInt8 = 1
    _ = write(ready, &byte, 1)
    close(ready)
  }
}
