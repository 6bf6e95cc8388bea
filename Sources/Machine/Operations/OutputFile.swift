// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop
import Glibc

/// A file that a person or toolstack asked for, written from beginning to end. What is left half written is removed.
final class OutputFile {
  private let path: String
  private let descriptor: Int32
  private var isFinished = false

  /// Makes the file anew.
  init(path: String) throws(MachineError) {
    self.path = path
    descriptor = DescriptorSets.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw Self.failure(path) }
  }

  deinit {
    close(descriptor)
    if !isFinished { unlink(path) }
  }

  private static func failure(_ path: String) -> MachineError {
    MachineError("cannot write '\(path)': \(String(cString: strerror(errno)))")
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws(MachineError) {
    var rest = bytes
    while let base = rest.baseAddress, !rest.isEmpty {
      let count = Glibc.write(descriptor, base, rest.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw Self.failure(path) }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
  }

  /// Everything is written.
  func finish() { isFinished = true }
}
