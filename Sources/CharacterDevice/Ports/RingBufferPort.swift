// SPDX-License-Identifier: GPL-2.0-or-later

/// A port in memory: for tests, and for looking at what a device wrote.
public final class RingBufferPort: CharacterPort {
  public weak var receiver: (any CharacterReceiver)?

  private let written: OutputBuffer
  private var incoming: [UInt8] = []
  private var wasRefused = false

  /// A port that holds at most `capacity` bytes until they are taken.
  public init(capacity: Int = 64 << 10) { written = OutputBuffer(capacity: capacity) }

  public func write(_ bytes: UnsafeRawBufferPointer) -> Int {
    let accepted = written.append(bytes)
    if accepted < bytes.count { wasRefused = true }
    return accepted
  }

  /// Takes out what the device wrote; a device that was refused room is told that there is some.
  public func takeOutput() -> [UInt8] {
    var output: [UInt8] = []
    while written.offer({
      output.append(contentsOf: $0); return $0.count
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
