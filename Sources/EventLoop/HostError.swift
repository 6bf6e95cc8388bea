// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// A system call that failed: what was tried and the `errno` it left.
public struct HostError: Error, Equatable, CustomStringConvertible, Sendable {
  /// What was tried, as the beginning of a sentence: "cannot open disk.img".
  public let what: String
  /// The `errno` value.
  public let code: Int32

  /// An error with the current `errno`, unless another code is given.
  public init(_ what: String, code: Int32 = errno) {
    self.what = what
    self.code = code
  }

  /// "what: reason", with the reason in the C library's words.
  public var description: String { "\(what): \(String(cString: strerror(code)))" }
}
