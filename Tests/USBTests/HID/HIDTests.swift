// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import Display
import TestSupport
import Testing

@testable import USB

@Suite struct HIDTests {
  private let host: TestHost
  private var clock: SteppedClock { host.board.clock }

  init() throws { host = try TestHost(speeds: [.full, .high]) }

  private func keyboard() -> USBKeyboard {
    let keyboard = USBKeyboard(clock: clock)
    #expect(host.configure(keyboard))
    return keyboard
  }

  @Test func describesItself() throws {
    let keyboard = keyboard()
    let device = try #require(host.control(0x80, 6, value: 0x0100, count: 18, keyboard))
    #expect(device[8...11] == [0x27, 0x06, 0x01, 0x00])
    let configuration = try #require(host.control(0x80, 6, value: 0x0200, count: 255, keyboard))
    #expect(configuration.count == 34 && configuration[14...16] == [3, 1, 1])
    let length = UInt16(configuration[9 + 9 + 7]) | UInt16(configuration[9 + 9 + 8]) << 8
    let report = try #require(host.control(0x81, 6, value: 0x2200, count: length, keyboard))
    #expect(report.count == Int(length) && report.last == 0xC0)
    #expect(host.control(0x81, 6, value: 0x2200, index: 1, count: 9, keyboard) == nil)
  }

  @Test func keysAreReportedOneByOne() {
    let keyboard = keyboard()
    #expect(host.begin(in: 1, 8, from: keyboard).1 == .nak)
    keyboard.key(.leftShift, isDown: true)
    keyboard.key(KeyCode(rawValue: 0x1E), isDown: true)
    keyboard.key(KeyCode(rawValue: 0x1E), isDown: true)
    keyboard.key(KeyCode(rawValue: 0x1E), isDown: false)
    #expect(host.ready.contains(.in(1)))
    #expect(host.read(1, 8, from: keyboard) == [2, 0, 0, 0, 0, 0, 0, 0])
    #expect(host.read(1, 8, from: keyboard) == [2, 0, 4, 0, 0, 0, 0, 0])
    #expect(host.read(1, 8, from: keyboard) == [2, 0, 0, 0, 0, 0, 0, 0])
    #expect(host.begin(in: 1, 8, from: keyboard).1 == .nak)
  }

  @Test func seventhKeyRollsOver() {
    let keyboard = keyboard()
    for code in UInt8(0x10)...0x16 { keyboard.key(KeyCode(rawValue: code), isDown: true) }
    for _ in 0..<6 { #expect(host.read(1, 8, from: keyboard)?[2] == 0x14) }
    #expect(host.read(1, 8, from: keyboard) == [0, 0, 1, 1, 1, 1, 1, 1])
  }

  /// Whatever is typed while nobody listens, no key hangs afterwards.
  @Test func noKeyHangsWhenTheQueueOverflows() {
    let keyboard = keyboard()
    for _ in 0..<40 {
      for code in UInt8(0x10)...0x19 { keyboard.key(KeyCode(rawValue: code), isDown: true) }
      for code in UInt8(0x10)...0x19 { keyboard.key(KeyCode(rawValue: code), isDown: false) }
    }
    var last: [UInt8]?
    while let report = host.read(1, 8, from: keyboard) { last = report }
    #expect(last == [0, 0, 0, 0, 0, 0, 0, 0])
  }

  @Test func everyKeyHasAUsageOfItsOwn() {
    var seen: [UInt8: UInt8] = [:]
    for code in UInt8.min ... .max {
      let usage = KeyUsage.usage(KeyCode(rawValue: code))
      // Print Screen is also System Request.
      guard usage != 0, code != 0x54 else { continue }
      #expect(seen.updateValue(code, forKey: usage) == nil)
    }
    #expect(
      KeyUsage.usage(KeyCode(rawValue: 0x19)) == 0x13 && KeyUsage.usage(KeyCode(rawValue: 0x44)) == 0x43)
    #expect(
      KeyUsage.usage(.delete) == 0x4C && KeyUsage.usage(.rightAlt) == 0xE6 && KeyUsage.usage(.space) == 0x2C)
  }

  @Test func lightsReachTheHost() {
    let keyboard = keyboard()
    var lights: [KeyboardLEDs] = []
    keyboard.onLEDs = { lights.append($0) }
    #expect(host.control(0x21, 9, value: 0x0200, data: [3], keyboard) == .success)
    #expect(lights == [[.numLock, .capsLock]])
    #expect(host.control(0x21, 9, value: 0x0100, data: [3], keyboard) == .stall)
  }

  @Test func idleRateRepeatsReports() {
    let keyboard = keyboard()
    #expect(host.control(0x21, 0x0A, value: 0x0500, keyboard) == .success)
    #expect(host.control(0xA1, 2, count: 1, keyboard) == [5])
    #expect(host.begin(in: 1, 8, from: keyboard).1 == .nak)
    clock.advance(by: 20_000_000)
    #expect(host.read(1, 8, from: keyboard) == [0, 0, 0, 0, 0, 0, 0, 0])
    #expect(host.begin(in: 1, 8, from: keyboard).1 == .nak)
  }

  @Test func wakesASleepingBusOnlyIfAllowed() {
    let keyboard = keyboard()
    keyboard.setSuspended(true)
    keyboard.key(.space, isDown: true)
    #expect(host.wakeUps == 0)
    keyboard.setSuspended(false)
    #expect(host.control(0, 3, value: 1, keyboard) == .success)
    keyboard.setSuspended(true)
    keyboard.key(.space, isDown: false)
    #expect(host.wakeUps == 1)
  }

  @Test func mouseMovementAddsUp() {
    let mouse = USBPointer(.mouse, clock: clock)
    #expect(host.configure(mouse))
    mouse.move(dx: 100, dy: -3, wheel: 0, buttons: [])
    mouse.move(dx: 100, dy: -3, wheel: 1, buttons: [])
    mouse.move(dx: 0, dy: 0, wheel: 0, buttons: .left)
    mouse.move(dx: 0, dy: 0, wheel: 0, buttons: [])
    #expect(host.read(1, 4, from: mouse) == [0, 127, 0xFA, 0xFF])
    #expect(host.read(1, 4, from: mouse) == [0, 73, 0, 0])
    #expect(host.read(1, 4, from: mouse) == [1, 0, 0, 0])
    #expect(host.read(1, 4, from: mouse) == [0, 0, 0, 0])
    #expect(host.begin(in: 1, 4, from: mouse).1 == .nak)
    #expect(host.control(0x21, 0x0B, value: 0, mouse) == .success)
    mouse.move(dx: 1, dy: 2, wheel: 3, buttons: .extra)
    #expect(host.read(1, 4, from: mouse) == [0, 1, 2])
  }

  @Test func tabletTellsPlaces() {
    let tablet = USBPointer(.tablet, clock: clock)
    #expect(host.configure(tablet))
    tablet.move(toX: 0x1234, y: 0x7FFF, wheel: 0, buttons: [])
    tablet.move(toX: 0x7FFF, y: 99_999, wheel: -2, buttons: .left)
    #expect(host.read(1, 8, from: tablet) == [0, 0x34, 0x12, 0xFF, 0x7F, 0])
    #expect(host.read(1, 8, from: tablet) == [1, 0xFF, 0x7F, 0xFF, 0x7F, 2])
    tablet.move(toX: 0x7FFF, y: 0x7FFF, wheel: 0, buttons: .left)
    #expect(host.begin(in: 1, 8, from: tablet).1 == .nak)
    #expect(host.begin(in: 1, 2, from: tablet).1 == .nak)
    tablet.move(toX: 0, y: 0, wheel: 0, buttons: .left)
    #expect(host.begin(in: 1, 2, from: tablet).1 == .babble)
  }

  @Test func tellsWhenItIsInUse() {
    let tablet = USBPointer(.tablet, clock: clock)
    var uses: [Bool] = []
    tablet.onUse = { uses.append($0) }
    tablet.move(toX: 1, y: 1, wheel: 0, buttons: [])
    #expect(!tablet.hasNews)
    #expect(host.configure(tablet))
    #expect(uses.last == true)
    host.port.detach()
    #expect(uses.last == false)
  }

  @Test func stateRoundTrip() throws {
    let keyboard = keyboard()
    keyboard.key(.leftControl, isDown: true)
    keyboard.key(.delete, isDown: true)
    _ = host.read(1, 8, from: keyboard)
    let other = try TestHost(speeds: [.full])
    let copy = USBKeyboard(clock: other.board.clock)
    #expect(other.port.attach(copy))
    try transplant(from: keyboard, to: copy)
    #expect(other.read(1, 8, from: copy) == [1, 0, 0x4C, 0, 0, 0, 0, 0])
    let tablet = USBPointer(.tablet, clock: clock)
    var state = tablet.save()
    state.waiting.told.x = 1 << 40
    #expect(throws: (any Error).self) { try tablet.restore(state) }
  }

  @Test(arguments: [1, 0x5EED, UInt64.random(in: .min ... .max)] as [UInt64])
  func randomTransfers(seed: UInt64) {
    print("USB HID seed \(seed)")
    var random = SeededGenerator(seed: seed)
    let keyboard = USBKeyboard(clock: clock)
    let tablet = USBPointer(.tablet, clock: clock)
    for device in [keyboard, tablet] as [HIDDevice] {
      _ = host.port.attach(device)
      for _ in 0..<3000 {
        let bits = random.next()
        switch bits % 8 {
        case 0: _ = host.configure(device)
        case 1:
          keyboard.key(KeyCode(rawValue: UInt8(truncatingIfNeeded: bits >> 8)), isDown: bits >> 20 & 1 != 0)
        case 2:
          tablet.move(
            toX: Int(truncatingIfNeeded: bits), y: .min, wheel: Int(truncatingIfNeeded: bits << 3),
            buttons: PointerButtons(rawValue: UInt8(truncatingIfNeeded: bits >> 16)))
        case 3: _ = host.begin(in: UInt8(bits >> 8 & 15), Int(bits >> 16 & 63), from: device)
        case 4:
          host.control(
            UInt8(truncatingIfNeeded: bits >> 8), UInt8(bits >> 16 & 15), value: UInt16(bits >> 20 & 0xFFFF),
            index: UInt16(bits >> 40 & 3), data: [UInt8](repeating: 7, count: Int(bits >> 50 & 15)), device)
        case 5:
          _ = host.control(
            UInt8(truncatingIfNeeded: bits >> 8), UInt8(bits >> 16 & 15), value: UInt16(bits >> 20 & 0xFFFF),
            index: UInt16(bits >> 40 & 3), count: UInt16(bits >> 48), device)
        case 6: clock.advance(by: bits >> 40)
        default: device.setSuspended(bits >> 8 & 1 != 0)
        }
      }
      host.port.detach()
    }
  }
}
