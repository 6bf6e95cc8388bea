// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// Eight words of a context (xHCI 1.2, section 6.2).
struct XHCIContext {
  static let byteCount = 32
  var words: SIMD8<UInt32> = .zero

  /// Reads a context; nil where there is no memory.
  init?(at address: UInt64, _ memory: GuestMemory) {
    guard withUnsafeMutableBytes(of: &words, { memory.read(GuestAddress(address), into: $0) }) else {
      return nil
    }
  }

  /// - Returns: false where there is no memory.
  func store(at address: UInt64, _ memory: GuestMemory) -> Bool {
    withUnsafeBytes(of: words) { memory.write(GuestAddress(address), from: $0) }
  }

  private func field(_ word: Int, _ shift: UInt32, _ mask: UInt32) -> UInt32 { words[word] >> shift & mask }
  private mutating func set(_ word: Int, _ shift: UInt32, _ mask: UInt32, _ value: UInt32) {
    words[word] = words[word] & ~(mask << shift) | (value & mask) << shift
  }

  // MARK: A slot context (section 6.2.2)

  var routeString: UInt32 { field(0, 0, 0xF_FFFF) }
  var contextEntries: UInt32 {
    get { field(0, 27, 31) }
    set { set(0, 27, 31, newValue) }
  }
  var rootPort: Int { Int(field(1, 16, 0xFF)) }
  var maxExitLatency: UInt32 {
    get { field(1, 0, 0xFFFF) }
    set { set(1, 0, 0xFFFF, newValue) }
  }
  var slotInterrupter: UInt32 {
    get { field(2, 22, 0x3FF) }
    set { set(2, 22, 0x3FF, newValue) }
  }
  var deviceAddress: UInt8 {
    get { UInt8(truncatingIfNeeded: field(3, 0, 0xFF)) }
    set { set(3, 0, 0xFF, UInt32(newValue)) }
  }
  var slotState: XHCISlotState {
    get { XHCISlotState(rawValue: UInt8(truncatingIfNeeded: field(3, 27, 31))) ?? .enabled }
    set { set(3, 27, 31, UInt32(newValue.rawValue)) }
  }

  // MARK: An endpoint context (section 6.2.3)

  var endpointState: XHCIEndpointState {
    get { XHCIEndpointState(rawValue: UInt8(truncatingIfNeeded: field(0, 0, 7))) ?? .disabled }
    set { set(0, 0, 7, UInt32(newValue.rawValue)) }
  }
  /// MaxPStreams
  var streams: UInt32 { field(0, 10, 31) }
  var endpointType: XHCIEndpointType? {
    XHCIEndpointType(rawValue: UInt8(truncatingIfNeeded: field(1, 3, 7)))
  }
  var maxPacketSize: UInt32 {
    get { field(1, 16, 0xFFFF) }
    set { set(1, 16, 0xFFFF, newValue) }
  }
  /// TR Dequeue Pointer, with DCS in bit 0.
  var dequeue: UInt64 {
    get { UInt64(words[2]) | UInt64(words[3]) << 32 }
    set {
      (words[2], words[3]) = (newValue.lowWord, newValue.highWord)
    }
  }
}

/// Slot State (table 6-7).
enum XHCISlotState: UInt8, Codable {
  case enabled = 0
  case `default` = 1
  case addressed = 2
  case configured = 3
}

/// EP State (table 6-8).
enum XHCIEndpointState: UInt8, Codable {
  case disabled = 0
  case running = 1
  case halted = 2
  case stopped = 3
  case error = 4
}

/// EP Type (table 6-9).
enum XHCIEndpointType: UInt8, Codable {
  case isochronousOut = 1
  case bulkOut = 2
  case interruptOut = 3
  case control = 4
  case isochronousIn = 5
  case bulkIn = 6
  case interruptIn = 7

  var isIn: Bool { rawValue >= Self.isochronousIn.rawValue }
}
