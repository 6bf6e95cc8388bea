// SPDX-License-Identifier: GPL-2.0-or-later

/// A device on a PS/2 port: bytes from the controller, and a queue of bytes to it.
protocol PS2Device: AnyObject {
  /// The controller sends a byte.
  func receive(_ byte: UInt8)
  /// The next byte for the controller, taken out of the queue.
  func nextByte() -> UInt8?
  /// Called when there is something in the queue.
  var onOutput: () -> Void { get set }
}

/// The queue of a PS/2 device: 16 bytes, as the small microcontrollers in keyboards have. Sequences go in whole or not at
/// all.
struct PS2Queue: Codable, Equatable, Sendable {
  static let capacity = 16
  private(set) var bytes: [UInt8] = []

  var isEmpty: Bool { bytes.isEmpty }
  var room: Int { Self.capacity - bytes.count }

  init() { bytes.reserveCapacity(Self.capacity + 4) }

  /// Adds a sequence if there is room for all of it.
  /// - Returns: false if there was none.
  mutating func append(_ sequence: some Collection<UInt8>) -> Bool {
    guard bytes.count + sequence.count <= Self.capacity else { return false }
    bytes.append(contentsOf: sequence)
    return true
  }

  /// Adds an answer to a command, which always has room: it replaces what was queued before.
  mutating func appendAnswer(_ sequence: some Collection<UInt8>) {
    if bytes.count + sequence.count > Self.capacity { bytes.removeAll(keepingCapacity: true) }
    bytes.append(contentsOf: sequence.prefix(Self.capacity))
  }

  mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }
  mutating func next() -> UInt8? { bytes.isEmpty ? nil : bytes.removeFirst() }

  /// Whether a restored queue could be a queue.
  var isValid: Bool { bytes.count <= Self.capacity }
}
