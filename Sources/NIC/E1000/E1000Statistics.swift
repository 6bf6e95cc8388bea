// SPDX-License-Identifier: GPL-2.0-or-later

/// The statistics registers (section 13.7): cleared when read, and staying at their highest value.
enum E1000Statistic {
  static let first = 0x4000
  /// MPC: frames lost for want of room.
  static let mpc = 0x4010
  /// PRC64 and the five after it: frames received by length.
  static let prc64 = 0x405C
  static let gprc = 0x4074
  static let bprc = 0x4078
  static let mprc = 0x407C
  static let gptc = 0x4080
  /// The low half; reading the high half clears both.
  static let gorc = 0x4088
  static let gotc = 0x4090
  /// RNBC: frames that came while there was no buffer.
  static let rnbc = 0x40A0
  static let ruc = 0x40A4
  static let roc = 0x40AC
  static let tor = 0x40C0
  static let tot = 0x40C8
  static let tpr = 0x40D0
  static let tpt = 0x40D4
  /// PTC64 and the five after it: frames sent by length.
  static let ptc64 = 0x40D8
  static let mptc = 0x40F0
  static let bptc = 0x40F4
  /// TSCTC: packets cut.
  static let tsctc = 0x40F8
  /// TSCTFC: packets that could not be cut.
  static let tsctfc = 0x40FC
  static let end = 0x4100

  /// The offsets that are no register.
  static let holes: Set<Int> = [0x4024, 0x402C, 0x4044, 0x4084, 0x4098, 0x409C]
  /// The low halves of the counters of 64 bits.
  static let wide: Set<Int> = [gorc, gotc, tor, tot]

  /// Which of six registers counts frames of `length` bytes with their frame check sequence.
  static func lengthClass(_ length: Int) -> Int {
    length <= 64 ? 0 : length <= 127 ? 1 : length <= 255 ? 2 : length <= 511 ? 3 : length <= 1023 ? 4 : 5
  }
}

extension E1000 {
  /// Counts events.
  func count(_ offset: Int, _ times: Int = 1) {
    let (sum, isTooLarge) = registers[offset >> 2].addingReportingOverflow(UInt32(truncatingIfNeeded: times))
    registers[offset >> 2] = isTooLarge ? .max : sum
  }

  /// Adds to a counter of 64 bits.
  func count(_ offset: Int, bytes: Int) {
    let old = UInt64(registers[offset >> 2]) | UInt64(registers[(offset >> 2) + 1]) << 32
    let (sum, isTooLarge) = old.addingReportingOverflow(UInt64(truncatingIfNeeded: bytes))
    let value = isTooLarge ? .max : sum
    registers[offset >> 2] = UInt32(truncatingIfNeeded: value)
    registers[(offset >> 2) + 1] = UInt32(truncatingIfNeeded: value >> 32)
  }

  /// Reads a statistics register.
  func readStatistic(_ offset: Int) -> UInt32 {
    let value = registers[offset >> 2]
    switch offset {
    case E1000Statistic.gorc, E1000Statistic.gotc, E1000Statistic.tor, E1000Statistic.tot: break
    case E1000Statistic.gorc + 4, E1000Statistic.gotc + 4, E1000Statistic.tor + 4, E1000Statistic.tot + 4:
      registers[offset >> 2] = 0
      registers[(offset >> 2) - 1] = 0
    default: registers[offset >> 2] = 0
    }
    return value
  }

  /// Counts what was sent; `destination` holds the six bytes of the address, the first in the lowest.
  func countSent(_ frame: OutgoingFrame, destination: UInt64) {
    if frame.parts > 1 { countSent(frame.parts &- 1, length: frame.partLength &+ 4, destination) }
    countSent(1, length: frame.lastPartLength &+ 4, destination)
  }

  private func countSent(_ times: Int, length: Int, _ destination: UInt64) {
    count(E1000Statistic.tpt, times)
    count(E1000Statistic.gptc, times)
    count(E1000Statistic.tot, bytes: length &* times)
    count(E1000Statistic.gotc, bytes: length &* times)
    count(E1000Statistic.ptc64 + 4 * E1000Statistic.lengthClass(length), times)
    if destination == 0xFFFF_FFFF_FFFF {
      count(E1000Statistic.bptc, times)
    } else if destination & 1 != 0 {
      count(E1000Statistic.mptc, times)
    }
  }

  /// Counts a frame that was received and let in.
  func countReceived(length: Int, isGroup: Bool, isBroadcast: Bool) {
    count(E1000Statistic.gprc)
    count(E1000Statistic.gorc, bytes: length)
    count(E1000Statistic.prc64 + 4 * E1000Statistic.lengthClass(length))
    if isBroadcast { count(E1000Statistic.bprc) } else if isGroup { count(E1000Statistic.mprc) }
  }
}
