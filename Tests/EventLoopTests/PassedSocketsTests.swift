// SPDX-License-Identifier: GPL-2.0-or-later

import Testing

@testable import EventLoop

@Suite struct PassedSocketsTests {
  private func sockets(_ count: String?, _ names: String?, process: String? = "7") -> PassedSockets {
    PassedSockets(process: process, count: count, names: names, own: 7)
  }

  @Test func namesAndNumbers() {
    let passed = sockets("3", "qmp:vnc:qmp")
    #expect(passed.allNames == ["qmp", "vnc", "qmp"])
    #expect(passed.descriptor("qmp") == 3 && passed.descriptor("vnc") == 4)
    #expect(passed.descriptor("17") == 17)
    #expect(passed.descriptor("x") == nil && passed.descriptor("") == nil && passed.descriptor("-1") == nil)
    #expect(passed.reason(for: "x").contains("qmp, vnc, qmp"))
  }

  @Test func whatHasNoName() {
    #expect(sockets("2", nil).allNames == ["unknown", "unknown"])
    #expect(sockets("3", "a:").allNames == ["a", "unknown", "unknown"])
    #expect(sockets("1", "a:b:c").allNames == ["a"])
  }

  @Test func whatIsNotForUs() {
    for (process, count) in [
      ("8", "1"), ("x", "1"), (nil, "1"), ("7", "0"), ("7", "-1"), ("7", "99999999999"), ("7", nil),
    ]
      as [(String?, String?)]
    {
      #expect(sockets(count, "a", process: process).allNames.isEmpty)
    }
  }
}
