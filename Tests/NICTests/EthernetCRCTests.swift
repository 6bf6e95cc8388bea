// SPDX-License-Identifier: GPL-2.0-or-later

import NIC
import TestSupport
import Testing

@Suite struct EthernetCRCTests {
  @Test func checkValue() {
    // The check value of CRC-32/ISO-HDLC.
    let bytes = Array("123456789".utf8)
    #expect(bytes.withUnsafeBytes { EthernetCRC.checksum($0) } == 0xCBF4_3926)
  }

  /// Long ones go another way.
  @Test func everyLength() {
    var random = SeededGenerator(seed: 32)
    let bytes = (0..<1600).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    for count in Array(0...300) + [1514, 1600] {
      var expected: UInt32 = 0xFFFF_FFFF
      for byte in bytes[..<count] {
        expected ^= UInt32(byte)
        for _ in 0..<8 { expected = expected & 1 != 0 ? expected >> 1 ^ 0xEDB8_8320 : expected >> 1 }
      }
      #expect(bytes.withUnsafeBytes { EthernetCRC.checksum(.init(rebasing: $0[..<count])) } == ~expected)
    }
  }
}
