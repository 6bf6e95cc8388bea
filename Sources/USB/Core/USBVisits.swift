// SPDX-License-Identifier: GPL-2.0-or-later

/// The queue heads that were come by since something moved: a loop of them ends there.
final class USBVisits {
  /// A schedule with more queue heads in a row is taken for a loop.
  static let capacity = 256
  private let addresses = UnsafeMutablePointer<UInt32>.allocate(capacity: capacity)
  private var count = 0

  init() { addresses.initialize(repeating: 0, count: Self.capacity) }
  deinit { addresses.deallocate() }

  /// Comes by a queue head.
  /// - Returns: whether it is new.
  func visit(_ address: UInt32) -> Bool {
    for index in 0..<count where addresses[index] == address { return false }
    guard count < Self.capacity else { return false }
    addresses[count] = address
    count += 1
    return true
  }

  func forget() { count = 0 }
}
