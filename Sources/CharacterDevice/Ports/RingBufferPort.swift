// SPDX-License-Identifier: GPL-2.0-or-later

/// A port in memory: for tests, and for monitors that look at what a device wrote.
public final class RingBufferPort: CharacterPort {
  public weak var receiver: (any CharacterReceiver)?

  private let written: OutputBuffer
  private var incoming: [UInt8] = []
  private var wasRefused = false

  private let keepsNewest: Bool

  /// A port that holds at most `capacity` bytes until they are taken. What is too much is refused, or, if the port
  /// `keepsNewest`, takes the place of the oldest.
  public init(capacity: Int = 64 << 10, keepsNewest: Bool = false) {
    written = OutputBuffer(capacity: capacity)
    self.keepsNewest = keepsNewest
  }

  public func write(_ bytes: UnsafeRawBufferPointer) -> Int {
    if keepsNewest {
      written.appendNewest(bytes)
      return bytes.count
    }
    let accepted = written.append(bytes)
    if accepted < bytes.count { wasRefused = true }
    return accepted
  }

  /// Takes out what the device wrote, at most `limit` bytes; a device that was refused room is told that there is some.
  public func takeOutput(limit: Int = .max) -> [UInt8] {
    var output: [UInt8] = []
    while written.offer({
      let piece = $0.prefix(max(0, limit - output.count))
      output.append(contentsOf: piece)
      return piece.count
    }) > 0 {}
    if wasRefused {
      wasRefused = false
      receiver?.characterPortBecameWritable()
    }
    return output
  }

  /// Sends bytes to the device, as fast as it takes them.
  public func send(_ bytes: some Sequence<UInt8>) {
    incoming.append(contentsOf: bytes)
    deliver()
  }

  /// The number of bytes the device has not taken yet.
  public var unreadCount: Int { incoming.count }

  public func receiverBecameReady() { deliver() }

  private func deliver() {
    while !incoming.isEmpty, let receiver {
      let taken = incoming.withUnsafeBytes { receiver.receive($0) }
      guard taken > 0 else { return }
      incoming.removeFirst(min(taken, incoming.count))
    }
  }
}
