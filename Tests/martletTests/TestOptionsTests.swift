// SPDX-License-Identifier: GPL-2.0-or-later

import Machine
import OptionSyntax
import Testing

@testable import martlet

@Suite struct TestOptionsTests {
  private func build(_ arguments: String...) throws -> MachineConfiguration {
    var builder = ConfigurationBuilder(try Martlet.parse(arguments))
    return try builder.build()
  }

  /// As QEMU's libqtest starts a machine.
  @Test func theTestProtocolIsAsked() throws {
    let configuration = try build(
      "-qtest", "stdio", "-qtest-log", "/dev/null", "-display", "none", "-machine", "pc", "-accel", "qtest")
    #expect(configuration.accelerators == [.qtest])
    #expect(configuration.testProtocol?.port == "stdio")
    #expect(configuration.testProtocol?.log == "/dev/null")
    #expect(configuration.vnc == nil)
    #expect(try build("-qtest", "none").testProtocol == nil)
    #expect(try build("-qtest-log", "none").testProtocol == nil)
  }

  @Test func enginesAreTriedInOrder() throws {
    #expect(try build("-machine", "pc,accel=qtest").accelerators == [.qtest])
    #expect(try build("-accel", "kvm:soft:qtest").accelerators == [.kvm, .soft, .qtest])
    #expect(
      try build("-accel", "kvm", "-accel", "tcg", "-accel", "qtest").accelerators == [.kvm, .soft, .qtest])
    #expect(try build("-machine", "accel=kvm", "-accel", "qtest").accelerators == [.kvm, .qtest])
    #expect(try build().accelerators == [])
    #expect(throws: OptionError.self) { try build("-accel", "qtests") }
  }
}
