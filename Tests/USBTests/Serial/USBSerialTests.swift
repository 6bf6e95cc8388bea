// SPDX-License-Identifier: GPL-2.0-or-later

import CharacterDevice
import TestSupport
import Testing

@testable import USB

@Suite struct USBSerialTests {
  private let host: TestHost
  private let line = LimitedPort()
  private let serial: USBSerial

  init() throws {
    host = try TestHost(speeds: [.full])
    serial = USBSerial(port: line)
    #expect(host.configure(serial))
    line.receiver?.characterPortOpened()
  }

  /// Takes what it has room for.
  private final class LimitedPort: CharacterPort {
    var receiver: (any CharacterReceiver)?
    var room = Int.max
    var sent: [UInt8] = []
    var readiness = 0

    func write(_ bytes: UnsafeRawBufferPointer) -> Int {
      let count = min(bytes.count, room)
      sent += bytes[..<count]
      room -= count
      return count
    }

    func receiverBecameReady() { readiness += 1 }

    func offer(_ bytes: [UInt8]) -> Int { bytes.withUnsafeBytes { receiver?.receive($0) ?? 0 } }
  }

  @Test func carriesDataBothWays() {
    #expect(host.read(1, 64, from: serial) == [0xB1, 0x60])
    #expect(host.begin(in: 1, 64, from: serial).1 == .nak)
    #expect(line.offer(Array("hello".utf8)) == 5)
    #expect(host.ready.last == .in(1))
    #expect(host.read(1, 64, from: serial) == [0xB1, 0x60] + Array("hello".utf8))
    #expect(host.begin(out: 2, Array("there".utf8), to: serial).1 == .success)
    #expect(line.sent == Array("there".utf8))
  }

  /// Two bytes of status begin each packet of 64 bytes, also where a transfer has many.
  @Test func transfersOfManyPackets() throws {
    let bytes = (0..<150).map { UInt8($0) }
    #expect(line.offer(bytes) == 150)
    let data = try #require(host.read(1, 512, from: serial))
    #expect(data.count == 156)
    #expect(stride(from: 0, to: 156, by: 64).flatMap { data[($0 + 2)..<min($0 + 64, 156)] } == bytes)
  }

  @Test func bothEndsWait() {
    #expect(line.offer([UInt8](repeating: 1, count: 1000)) == 384)
    #expect(line.offer([1]) == 0)
    let before = line.readiness
    _ = host.read(1, 64, from: serial)
    #expect(line.readiness > before && line.offer([1, 2]) == 2)
    line.room = 10
    #expect(host.begin(out: 2, [UInt8](repeating: 9, count: 5000), to: serial).1 == .success)
    #expect(host.begin(out: 2, [9], to: serial).1 == .nak)
    line.room = .max
    line.receiver?.characterPortBecameWritable()
    #expect(line.sent.count == 5000 && host.ready.last == .out(2))
    #expect(host.begin(out: 2, [9], to: serial).1 == .success)
  }

  @Test func requests() {
    #expect(host.control(0xC0, 5, count: 2, serial) == [0xB1, 0x60])
    #expect(host.control(0x40, 9, value: 2, serial) == .success)
    #expect(host.control(0xC0, 10, count: 1, serial) == [2])
    for request in [1, 2, 3, 4, 6, 7] as [UInt8] { #expect(host.control(0x40, request, serial) == .success) }
    #expect(host.control(0x40, 0x91, serial) == .stall)
    _ = line.offer([1, 2, 3])
    #expect(host.control(0x40, 0, value: 1, serial) == .success)
    #expect(host.read(1, 64, from: serial) == [0xB1, 0x60])
    line.receiver?.receiveBreak()
    #expect(host.read(1, 64, from: serial) == [0xB1, 0x70])
    line.receiver?.characterPortClosed()
    #expect(host.read(1, 64, from: serial) == [0x01, 0x60])
  }

  @Test func stateRoundTrip() throws {
    line.room = 1
    #expect(host.begin(out: 2, [1, 2, 3], to: serial).1 == .success)
    _ = line.offer([4, 5])
    let other = try TestHost(speeds: [.full])
    let port = LimitedPort()
    let copy = USBSerial(port: port)
    #expect(other.port.attach(copy))
    try transplant(from: serial, to: copy)
    #expect(port.sent == [2, 3])
    #expect(other.read(1, 64, from: copy) == [0x01, 0x60, 4, 5])
  }

  @Test(arguments: [1, UInt64.random(in: .min ... .max)] as [UInt64])
  func randomTransfers(seed: UInt64) {
    print("USB serial seed \(seed)")
    var random = SeededGenerator(seed: seed)
    for _ in 0..<3000 {
      let bits = random.next()
      line.room = Int(bits >> 50 & 0x3FF)
      switch bits % 6 {
      case 0: _ = host.begin(in: UInt8(bits >> 8 & 3), Int(bits >> 16 & 0x3FF), from: serial)
      case 1:
        _ = host.begin(
          out: UInt8(bits >> 8 & 3), [UInt8](repeating: 5, count: Int(bits >> 16 & 0x3FF)), to: serial)
      case 2: _ = line.offer([UInt8](repeating: 6, count: Int(bits >> 16 & 0x1FF)))
      case 3: line.receiver?.characterPortBecameWritable()
      case 4:
        host.control(
          0x40, UInt8(bits >> 8 & 15), value: UInt16(bits >> 16 & 3), index: UInt16(bits >> 20 & 3), serial)
      default: _ = host.control(0xC0, UInt8(bits >> 8 & 15), count: UInt16(bits >> 16 & 15), serial)
      }
      #expect(serial.save().line.isValid)
    }
  }
}
