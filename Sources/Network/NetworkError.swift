// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop

/// Why a network back end cannot be had.
public enum NetworkError: Error, Equatable, CustomStringConvertible, Sendable {
  /// libslirp cannot be loaded: the loader's words.
  case libraryMissing(String)
  /// The library does not take the configuration.
  case refused(id: String)
  /// A port of the host cannot be forwarded.
  case hostForward(id: String, rule: String, reason: String)
  /// Something in the guest's network cannot be forwarded.
  case guestForward(id: String, rule: String, reason: String)
  /// A tap device cannot be had.
  case tap(id: String, reason: String)
  /// A script failed, or cannot be started.
  case script(path: String, reason: String)
  /// A socket cannot be had.
  case socket(id: String, reason: String)
  /// The capture file cannot be written.
  case capture(path: String, reason: String)
  /// A saved state cannot be taken over.
  case state(id: String, reason: String)
  /// A system call failed.
  case host(HostError)

  /// What happened, and what to do about it.
  public var description: String {
    switch self {
    case .libraryMissing(let reason):
      "user networking needs libslirp (Debian's package 'libslirp0'), or '-nic none': \(reason)"
    case .refused(let id): "libslirp does not take the addresses of network '\(id)'"
    case .hostForward(let id, let rule, let reason):
      "network '\(id)': cannot forward the host's port by '\(rule)': \(reason)"
    case .guestForward(let id, let rule, let reason):
      "network '\(id)': cannot forward by '\(rule)': \(reason)"
    case .tap(let id, let reason): "network '\(id)': \(reason)"
    case .script(let path, let reason): "the network script '\(path)' \(reason)"
    case .socket(let id, let reason): "network '\(id)': \(reason)"
    case .capture(let path, let reason): "cannot write the capture file '\(path)': \(reason)"
    case .state(let id, let reason): "network '\(id)': the saved state is not taken: \(reason)"
    case .host(let error): error.description
    }
  }
}
