// SPDX-License-Identifier: GPL-2.0-or-later

import Display
import TestSupport
import Testing

@testable import Input

@Suite struct PS2KeyboardTests {
  let driver: KeyboardDriver
  init() throws { driver = try KeyboardDriver() }

  @Test func plainKeysInAllSets() {
    driver.press(0x1E)
    driver.release(0x1E)
    #expect(driver.received() == [0x1C, 0xF0, 0x1C])
    driver.toKeyboard(0xF0, 1)
    #expect(driver.received() == [0xFA, 0xFA])
    driver.press(0x1E)
    driver.release(0x1E)
    #expect(driver.received() == [0x1E, 0x9E])
    driver.toKeyboard(0xF0, 3)
    _ = driver.received()
    driver.press(0x1D, 0xCB)
    driver.release(0x1D, 0xCB)
    #expect(driver.received() == [0x11, 0x61, 0xF0, 0x11, 0xF0, 0x61])
    driver.toKeyboard(0xF0, 0)
    #expect(driver.received() == [0xFA, 0xFA, 3])
    driver.toKeyboard(0xF0, 4)
    #expect(driver.received() == [0xFA, 0xFE])
  }

  /// Whatever set 1 code a key has, it is what comes out of the translator.
  @Test func everyKeySurvivesTranslation() {
    driver.translate()
    for code in UInt8(1)...0x58 where ![0x54, 0x55].contains(code) {
      driver.press(code)
      driver.release(code)
      #expect(driver.received() == [code, code | 0x80], "\(code)")
    }
    for code in [
      0x1C, 0x1D, 0x35, 0x38, 0x47, 0x48, 0x49, 0x4B, 0x4D, 0x4F, 0x50, 0x51, 0x52, 0x53, 0x5B, 0x5C, 0x5D,
    ]
      as [UInt8]
    {
      driver.press(code | 0x80)
      driver.release(code | 0x80)
      #expect(driver.received() == [0xE0, code, 0xE0, code | 0x80], "extended \(code)")
    }
  }

  @Test func pauseAndBreak() {
    driver.press(0xC6)
    driver.release(0xC6)
    #expect(driver.received() == [0xE1, 0x14, 0x77, 0xE1, 0xF0, 0x14, 0xF0, 0x77])
    driver.translate()
    driver.press(0xC6)
    #expect(driver.received() == [0xE1, 0x1D, 0x45, 0xE1, 0x9D, 0xC5])
    driver.press(0x1D, 0xC6)
    #expect(driver.received() == [0x1D, 0xE0, 0x46, 0xE0, 0xC6])
  }

  @Test func printScreenAndSysRq() {
    driver.translate()
    driver.press(0xB7)
    driver.release(0xB7)
    #expect(driver.received() == [0xE0, 0x2A, 0xE0, 0x37, 0xE0, 0xB7, 0xE0, 0xAA])
    driver.press(0x2A, 0xB7)
    driver.release(0xB7, 0x2A)
    #expect(driver.received() == [0x2A, 0xE0, 0x37, 0xE0, 0xB7, 0xAA])
    // SysRq comes up as SysRq, even after Alt.
    driver.press(0x38, 0xB7)
    driver.release(0x38, 0xB7)
    #expect(driver.received() == [0x38, 0x54, 0xB8, 0xD4])
  }

  @Test func commands() {
    driver.toKeyboard(0xEE)
    #expect(driver.received() == [0xEE])
    driver.toKeyboard(0xF2)
    #expect(driver.received() == [0xFA, 0xAB, 0x83])
    driver.toKeyboard(0xFE)
    #expect(driver.received() == [0x83])
    driver.toKeyboard(0xF3, 0x20)
    #expect(driver.received() == [0xFA, 0xFA])
    driver.toKeyboard(0xFB, 0x1C, 0x1D, 0xF8)
    #expect(driver.received() == [0xFA, 0xFA, 0xFA, 0xFA])
    driver.toKeyboard(0x12)
    #expect(driver.received() == [0xFE])
    // A command in place of a parameter is a command.
    driver.toKeyboard(0xED, 0xEE)
    #expect(driver.received() == [0xFA, 0xEE])
    // The identity goes through the translator too.
    driver.translate()
    driver.toKeyboard(0xF2)
    #expect(driver.received() == [0xFA, 0xAB, 0x41])
  }

  @Test func lights() {
    var seen: [KeyboardLEDs] = []
    driver.keyboard.onLEDs = { seen.append($0) }
    driver.toKeyboard(0xED, 0xF2)
    driver.toKeyboard(0xED, 0x06)
    driver.toKeyboard(0xED, 0x06)
    driver.toKeyboard(0xFF)
    #expect(seen == [[.numLock, .capsLock], []])
  }

  @Test func disablingAndReset() {
    driver.toKeyboard(0xF0, 1)
    driver.toKeyboard(0xF5)
    _ = driver.received()
    driver.press(0x1E)
    driver.release(0x1E)
    #expect(driver.received() == [])
    driver.toKeyboard(0xF4)
    driver.press(0x1E)
    #expect(driver.received() == [0xFA, 0x1C])
    driver.press(0x30, 0x30)
    driver.toKeyboard(0xFF)
    // One byte is in the controller's buffer already.
    #expect(driver.received() == [0x32, 0xFA, 0xAA])
  }

  @Test func answersOvertakeScanCodes() {
    driver.press(0x1E, 0x30, 0x2E)
    driver.toKeyboard(0xED, 0)
    #expect(driver.received() == [0x1C, 0xFA, 0xFA, 0x32, 0x21])
  }

  @Test func aTypedLineIsNotLost() {
    driver.translate()
    var expected: [UInt8] = []
    for index in 0..<60 {
      let code = UInt8(0x10 + index % 10)
      driver.press(code)
      driver.release(code)
      expected += [code, code | 0x80]
    }
    #expect(driver.received() == expected)
  }

  @Test func overrunIsToldAndReleasesNothing() {
    driver.translate()
    for _ in 0..<1000 { driver.press(0x1E) }
    driver.release(0x1E)
    driver.press(0x30)
    driver.release(0x30)
    let bytes = driver.received()
    #expect(bytes.prefix(100) == Array(repeating: 0x1E, count: 100)[...])
    #expect(bytes.suffix(2) == [0x9E, 0xFF])
    #expect(bytes.count < 200)
    driver.press(0x30)
    #expect(driver.received() == [0x30])
  }

  @Test func everyPressedKeyIsReleasedAfterAnOverrun() {
    driver.translate()
    for code in UInt8(1)...0x53 { driver.press(code) }
    for code in UInt8(1)...0x53 { driver.press(code) }
    for code in UInt8(1)...0x53 { driver.release(code) }
    let bytes = driver.received()
    #expect(Set(bytes.filter { $0 >= 0x80 && $0 != 0xFF }) == Set((UInt8(1)...0x53).map { $0 | 0x80 }))
  }
}
