// SPDX-License-Identifier: GPL-2.0-or-later

import NIC
import Testing

@Suite struct EthernetCRCTests {
  @Test func checkValue() {
    // The check value of CRC-32/ISO-HDLC.
    let bytes = Array("123456789".utf8)
    #expect(bytes.withUnsafeBytes { EthernetCRC.checksum($0) } == 0xCBF4_3926)
  }
}
