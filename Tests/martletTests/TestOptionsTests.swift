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

  /// Of QEMU's ide-test and i440fx-test.
  @Test func drivesAreAsQEMUsTestsAskForThem() throws {
    let drives = try build(
      "-drive", "file=/x,if=ide,cache=writeback,format=raw", "-global", "ide-hd.serial=testdisk", "-global",
      "ide-hd.ver=version"
    ).drives
    #expect(drives.map(\.serial) == ["testdisk"])
    #expect(drives.map(\.firmwareVersion) == ["version"])
    #expect(try build("-drive", "file=blkdebug::/x,if=ide,format=raw").drives.map(\.file) == ["blkdebug::/x"])
    #expect(try build("-drive", "if=pflash,format=raw,file=/b").firmware.bios == "/b")
    #expect(try build("-drive", "if=pflash,format=raw,file=/b").drives.isEmpty)
    #expect(throws: OptionError.self) { try build("-bios", "/a", "-drive", "if=pflash,file=/b") }
    #expect(throws: OptionError.self) { try build("-drive", "if=pflash") }
    #expect(throws: OptionError.self) { try build("-hda", "/x", "-global", "ide-hd.ver=123456789") }
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
