// SPDX-License-Identifier: GPL-2.0-or-later

/// What libslirp keeps (`slirp_state_save`, its version 4), looked through before the library reads it: it takes states and
/// counts from there that it uses as indices, divides by and allocates with.
///
/// A byte that is not zero before each connection, a zero behind the last, the number of the next IPv4 packet, and the
/// addresses that DHCP gave. Numbers are in network byte order.
struct SavedSlirp {
  /// The version of the form.
  static let version: Int32 = 4
  private static let leaseCount = 16
  /// Larger than the library's own, which are multiples of the segment size from 128 KiB on.
  private static let largestBuffer: UInt32 = 1 << 20

  private let bytes: [UInt8]
  private var position = 0
  /// Something was not there, or could not be.
  private var isWrong = false

  private init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Whether a running library could have saved this, with at most so many connections.
  static func isSound(_ bytes: [UInt8], mostConnections: Int) -> Bool {
    var state = SavedSlirp(bytes)
    return state.check(mostConnections: mostConnections)
  }

  private mutating func check(mostConnections: Int) -> Bool {
    var connections = 0
    while number(1) != 0, !isWrong {
      connections += 1
      require(connections <= mostConnections)
      checkConnection()
    }
    skip(2)
    for _ in 0..<Self.leaseCount {
      require(number(2) <= 1)
      skip(6)
    }
    return !isWrong && position == bytes.count
  }

  private mutating func checkConnection() {
    // Urgent bytes.
    skip(4)
    for _ in 0..<2 { checkAddress() }
    // The type of service; nothing is to be translated within the data.
    skip(1)
    require(number(1) == 0)
    // The same type of service again, and the socket's state.
    skip(5)
    _ = takeBuffer()
    let unacknowledged = takeBuffer()
    checkControlBlock(unacknowledged: unacknowledged)
  }

  private mutating func checkAddress() {
    // IPv4, as the network's own address families are numbered.
    require(number(2) == 2)
    skip(6)
  }

  /// A ring of bytes: how many there are, its size, where they are put in and taken out. Returns how many.
  private mutating func takeBuffer() -> UInt32 {
    let (count, size, end, start) = (number(4), number(4), number(4), number(4))
    require((1...Self.largestBuffer).contains(size) && count <= size && start < size && end < size)
    guard !isWrong else { return 0 }
    require((start + count) % size == end)
    skip(Int(size))
    return count
  }

  /// The TCP control block (RFC 9293, section 3.3.1, and the BSD's timers).
  private mutating func checkControlBlock(unacknowledged: UInt32) {
    // The state is an index, CLOSED … TIME-WAIT; so is the number of retransmissions, behind four timers.
    require(number(2) <= 10)
    skip(8)
    require(number(2) <= 12)
    // The timer's length, acknowledgements twice.
    skip(4)
    // The largest segment, which must fit into an Ethernet frame.
    require((32...1460).contains(number(2)))
    // Flags.
    skip(3)
    // What was sent lies in the buffer from the first byte not acknowledged on, but for SYN and FIN.
    let (first, next) = (number(4), number(4))
    skip(40)
    let furthest = number(4)
    require(next &- first <= unacknowledged + 2 && furthest &- first <= unacknowledged + 2)
    // Windows, round-trip times, the largest window, urgent data, an error.
    skip(8 + 14 + 4 + 4)
    // Shifts of windows (RFC 7323, section 2.3), own and asked for.
    for _ in 0..<4 { require(number(1) <= 14) }
    // Time stamps, and what was acknowledged last.
    skip(12)
  }

  // MARK: Reading

  private mutating func number(_ byteCount: Int) -> UInt32 {
    guard bytes.count - position >= byteCount else {
      isWrong = true
      return 0
    }
    var value: UInt32 = 0
    for byte in bytes[position..<position + byteCount] { value = value << 8 | UInt32(byte) }
    position += byteCount
    return value
  }

  private mutating func skip(_ byteCount: Int) {
    guard bytes.count - position >= byteCount else {
      isWrong = true
      return
    }
    position += byteCount
  }

  private mutating func require(_ condition: Bool) {
    if !condition { isWrong = true }
  }
}
