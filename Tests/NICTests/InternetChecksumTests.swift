// SPDX-License-Identifier: GPL-2.0-or-later

import NIC
import TestSupport
import Testing

@Suite struct InternetChecksumTests {
  /// The example of RFC 1071, section 3.
  @Test func example() {
    var sum = InternetChecksum()
    ([0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7] as [UInt8]).withUnsafeBytes { sum.add($0) }
    #expect(sum.value == 0xDDF2)
  }

  /// However it is cut, the sum is the same.
  @Test func pieces() {
    var random = SeededGenerator(seed: 4)
    for count in 0..<80 {
      let bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) }
      var expected = 0
      for (index, byte) in bytes.enumerated() { expected += Int(byte) << (index & 1 == 0 ? 8 : 0) }
      while expected > 0xFFFF { expected = (expected & 0xFFFF) + (expected >> 16) }
      var sum = InternetChecksum()
      var start = 0
      while start < count {
        let end = Int.random(in: start...count, using: &random)
        bytes.withUnsafeBytes { sum.add(UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
        start = end
      }
      #expect(Int(sum.value) == expected)
    }
  }
}
