// SPDX-License-Identifier: GPL-2.0-or-later

/// Who gave wrong passwords. After five, an address has to wait for ten seconds before each further one.
struct PasswordFailures {
  /// Wrong passwords that cost nothing.
  static let allowance = 5
  /// The wait after that, in nanoseconds.
  static let waitNanoseconds: UInt64 = 10_000_000_000
  /// When an address is forgiven, in nanoseconds.
  static let memoryNanoseconds: UInt64 = 600_000_000_000
  /// Addresses that are remembered.
  static let capacity = 256

  private var byPeer: [String: (count: Int, last: UInt64)] = [:]

  /// Nobody has failed.
  init() {}

  /// Whether a viewer from `peer` may try a password.
  func mayTry(_ peer: String, now: UInt64) -> Bool {
    guard let entry = byPeer[peer], entry.count >= Self.allowance else { return true }
    return now > entry.last &+ Self.waitNanoseconds
  }

  /// A viewer from `peer` gave a wrong password.
  mutating func add(_ peer: String, now: UInt64) {
    byPeer = byPeer.filter { now < $0.value.last &+ Self.memoryNanoseconds }
    if byPeer[peer] == nil, byPeer.count >= Self.capacity,
      let oldest = byPeer.min(by: { $0.value.last < $1.value.last })
    {
      byPeer[oldest.key] = nil
    }
    byPeer[peer] = ((byPeer[peer]?.count ?? 0) + 1, now)
  }
}
