// SPDX-License-Identifier: GPL-2.0-or-later

import Network
import Testing

@Suite struct MACAddressTests {
  @Test func writtenAndRead() throws {
    let address = try #require(MACAddress("52:54:00:12:34:5a"))
    #expect(address.bytes == [0x52, 0x54, 0x00, 0x12, 0x34, 0x5A])
    #expect(address.description == "52:54:00:12:34:5a")
    #expect(MACAddress(address.bytes) == address)
    #expect(MACAddress("52-54-0-12-34-5A") == address)
    #expect(!address.isGroup)
    #expect(MACAddress.broadcast.isGroup)
  }

  @Test(arguments: [
    "", "52:54:00:12:34", "52:54:00:12:34:56:78", "52:54:00:12:34:5g", "52:54:00:12:34:+5", "::::::",
  ])
  func refused(_ text: String) {
    #expect(MACAddress(text) == nil)
  }
}
