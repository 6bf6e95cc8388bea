// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop
import Glibc

/// Why a character port could not be had.
public enum CharacterPortError: Error, Equatable, CustomStringConvertible, Sendable {
  /// No such kind of port; `nearest` is the most similar that there is.
  case unknown(text: String, nearest: String)
  /// A kind that QEMU has and Martlet has not.
  case unsupported(text: String, nearest: String)
  /// Something is missing or wrong after the kind.
  case malformed(text: String, expected: String)
  /// A socket or its like that is described wrongly, in a sentence.
  case wrong(String)
  /// Two devices want the terminal.
  case standardIOTaken
  /// The host refused; `what` begins a sentence.
  case host(what: String, code: Int32)

  /// A sentence for a person.
  public var description: String {
    switch self {
    case .unknown(let text, let nearest):
      "'\(text)' is not a character device; the nearest is '\(nearest)'"
    case .unsupported(let text, let nearest):
      "character device '\(text)' is not supported; the nearest that is, is '\(nearest)'"
    case .malformed(let text, let expected):
      "character device '\(text)' is incomplete: it is written '\(expected)'"
    case .wrong(let sentence): sentence
    case .standardIOTaken:
      "standard input and output are already in use by another character device"
    case .host(let what, let code):
      "\(what): \(String(cString: strerror(code)))"
    }
  }
}
