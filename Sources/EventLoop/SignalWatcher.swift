// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc

/// Turns signals of the process (SIGINT, SIGTERM, SIGHUP …) into calls on the event loop.
///
/// The signals are blocked in the calling thread and in all threads it starts afterwards; so make the watcher
/// before any other thread. A signal the process was started with ignored (`nohup`) stays ignored.
public final class SignalWatcher {
  private let descriptor: Int32
  private var watch: EventLoop.Watch?
  private var before = sigset_t()

  /// Calls `handler` with the number of each signal of `signals` that comes, with the machine's lock held.
  public init(loop: EventLoop, signals: [Int32], handler: @escaping (Int32) -> Void) throws(HostError) {
    var set = sigset_t()
    sigemptyset(&set)
    for number in signals where !Self.isIgnored(number) { sigaddset(&set, number) }
    let descriptor = signalfd(-1, &set, Int32(SFD_CLOEXEC | SFD_NONBLOCK))
    guard descriptor >= 0 else { throw HostError("cannot create a signalfd") }
    self.descriptor = descriptor
    pthread_sigmask(SIG_BLOCK, &set, &before)
    watch = try loop.watch(descriptor, for: .readable) { _ in
      var information = signalfd_siginfo()
      while read(descriptor, &information, MemoryLayout<signalfd_siginfo>.size) > 0 {
        handler(Int32(bitPattern: information.ssi_signo))
      }
    }
  }

  private static func isIgnored(_ number: Int32) -> Bool {
    var action = sigaction()
    // SIG_IGN is the address 1.
    return sigaction(number, nil, &action) == 0
      && unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
  }

  /// Ends the watch and gives the calling thread its signal mask back; call it on the thread that made the
  /// watcher, with the machine's lock held.
  public func close() {
    guard let watch else { return }
    watch.cancel()
    self.watch = nil
    pthread_sigmask(SIG_SETMASK, &before, nil)
  }

  deinit { Glibc.close(descriptor) }
}
