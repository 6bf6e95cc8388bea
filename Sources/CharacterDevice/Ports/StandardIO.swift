// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import EventLoop
import Glibc

/// Standard input and output as a port's descriptors.
enum StandardIO {
  // Used with the machine's lock held only.
  nonisolated(unsafe) private static var isTaken = false

  /// Claims the terminal for one port.
  /// - Returns: false if another has it.
  static func take() -> Bool {
    guard !isTaken else { return false }
    isTaken = true
    return true
  }

  /// Descriptors for standard input and output that do not block, with the terminal, if there is one, in raw mode
  /// until the port is closed or the process ends.
  ///
  /// `O_NONBLOCK` belongs to the open file, which we share with the shell and what else it started; so terminals
  /// and pipes are opened anew where that is possible.
  /// - Parameter keepsSignals: whether Ctrl-C, Ctrl-Z and Ctrl-\ go to the emulator rather than to the guest.
  static func channel(keepsSignals: Bool) -> DescriptorChannel {
    let input = nonBlocking(STDIN_FILENO, O_RDONLY)
    let output = nonBlocking(STDOUT_FILENO, O_WRONLY)
    if isatty(STDIN_FILENO) != 0 { TerminalMode.makeRaw(STDIN_FILENO, keepsSignals: keepsSignals) }
    var channel = DescriptorChannel(input: input.descriptor, output: output.descriptor)
    channel.onClose = {
      TerminalMode.restore()
      for end in [input, output] { end.close() }
      isTaken = false
    }
    return channel
  }

  /// One of the standard descriptors, made ready.
  private struct End {
    var descriptor: Int32
    /// What to do to the standard descriptor's flags at the end.
    var flagsToRestore: (descriptor: Int32, flags: Int32)?
    /// Whether the descriptor is ours to close.
    var isOwn = false

    func close() {
      if let (descriptor, flags) = flagsToRestore { _ = martlet_fcntl(descriptor, F_SETFL, Int(flags)) }
      if isOwn { Glibc.close(descriptor) }
    }
  }

  private static func nonBlocking(_ standard: Int32, _ access: Int32) -> End {
    var status = stat()
    let flags = martlet_fcntl(standard, F_GETFL, 0)
    // Closed: there is no input, and output is lost.
    guard flags >= 0, fstat(standard, &status) == 0 else { return End(descriptor: -1) }
    let kind = status.st_mode & S_IFMT
    // A file never makes one wait, and its position is shared on purpose.
    if kind == S_IFREG { return End(descriptor: standard) }
    if kind == S_IFCHR || kind == S_IFIFO {
      let own = martlet_open("/proc/self/fd/\(standard)", access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0)
      if own >= 0 { return End(descriptor: own, isOwn: true) }
    }
    _ = martlet_fcntl(standard, F_SETFL, Int(flags | O_NONBLOCK))
    return End(descriptor: standard, flagsToRestore: (standard, flags))
  }
}
