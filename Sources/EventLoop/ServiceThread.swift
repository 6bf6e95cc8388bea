// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc

/// A host thread that takes no signals.
public final class ServiceThread: Sendable {
  private let handle: pthread_t

  /// Runs `body` on a new thread that tools show as `name`.
  public init(name: String, body: @escaping @Sendable () -> Void) throws(HostError) {
    let start = Unmanaged.passRetained(Start(name: name, body: body))
    var handle = pthread_t()
    let code = Self.withoutSignals {
      pthread_create(
        &handle, nil,
        { context in
          guard let context else { return nil }
          let start = Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
          _ = martlet_setname(start.name)
          start.body()
          return nil
        }, start.toOpaque())
    }
    guard code == 0 else {
      start.release()
      throw HostError("cannot create the thread \(name)", code: code)
    }
    self.handle = handle
  }

  /// Calls `body` with all signals blocked: threads that it makes, such as a library's own, take none for ever.
  public static func withoutSignals<Result>(_ body: () -> Result) -> Result {
    var all = sigset_t()
    var old = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_SETMASK, &all, &old)
    defer { pthread_sigmask(SIG_SETMASK, &old, nil) }
    return body()
  }

  /// Waits for the thread's end.
  public func join() { pthread_join(handle, nil) }

  private final class Start: Sendable {
    let name: String
    let body: @Sendable () -> Void
    init(name: String, body: @escaping @Sendable () -> Void) { (self.name, self.body) = (name, body) }
  }
}
