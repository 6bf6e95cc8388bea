// SPDX-License-Identifier: GPL-2.0-or-later

/// What SMART tells of a disk that never wears out (ATA/ATAPI-5, section 8.41; attributes as vendors number them).
enum SMARTData {
  /// Number, flags, value, worst, raw, threshold.
  private static let attributes: [(id: UInt8, flags: UInt16, value: UInt8, raw: UInt8, threshold: UInt8)] = [
    (1, 0x0003, 100, 0, 6),  // raw read error rate
    (3, 0x0003, 100, 16, 0),  // spin-up time
    (4, 0x0002, 100, 100, 20),  // start/stop count
    (5, 0x0003, 100, 0, 36),  // reallocated sectors
    (9, 0x0003, 100, 1, 0),  // power-on hours
    (12, 0x0003, 100, 0, 0),  // power cycles
    (190, 0x0003, 69, 31, 50),  // temperature
  ]

  static func data(in buffer: UnsafeMutableRawBufferPointer) {
    buffer[0] = 1
    for (index, attribute) in attributes.enumerated() {
      let base = 2 + index * 12
      buffer[base] = attribute.id
      buffer[base + 1] = UInt8(truncatingIfNeeded: attribute.flags)
      buffer[base + 2] = UInt8(truncatingIfNeeded: attribute.flags >> 8)
      buffer[base + 3] = attribute.value
      buffer[base + 4] = attribute.value
      buffer[base + 5] = attribute.raw
    }
    // Off-line data collection is done, takes 5 minutes, and can be asked for; so can the short self-test.
    buffer[362] = 0x02
    buffer[364] = 0x20
    buffer[365] = 0x01
    buffer[367] = 0x1B
    buffer[368] = 0x03
    buffer[370] = 0x01
    buffer[372] = 0x02
    buffer[373] = 0x36
    seal(buffer)
  }

  static func thresholds(in buffer: UnsafeMutableRawBufferPointer) {
    buffer[0] = 1
    for (index, attribute) in attributes.enumerated() {
      buffer[2 + index * 12] = attribute.id
      buffer[3 + index * 12] = attribute.threshold
    }
    seal(buffer)
  }

  /// The log directory (0) or the summary of errors (1), both empty.
  static func log(_ number: Int, in buffer: UnsafeMutableRawBufferPointer) {
    buffer[0] = 1
    if number == 0 { buffer[2] = 1 } else { seal(buffer) }
  }

  /// The last byte makes the sum of all 512 zero.
  private static func seal(_ buffer: UnsafeMutableRawBufferPointer) {
    buffer[511] = 0
    buffer[511] = 0 &- buffer[..<511].reduce(UInt8(0)) { $0 &+ $1 }
  }
}
