// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import Display

/// An MF-II keyboard with 102 keys on a PS/2 port: scan code sets 1, 2 and 3 (IBM PS/2 Hardware Interface Technical
/// Reference, keyboards).
public final class PS2Keyboard: KeyboardSink, PS2Device {
  private enum Command {
    static let setLEDs: UInt8 = 0xED
    static let echo: UInt8 = 0xEE
    static let scanCodeSet: UInt8 = 0xF0
    static let identify: UInt8 = 0xF2
    static let typematic: UInt8 = 0xF3
    static let enable: UInt8 = 0xF4
    static let disable: UInt8 = 0xF5
    static let setDefaults: UInt8 = 0xF6
    static let setAllTypematic: UInt8 = 0xF7
    static let setKeyMake: UInt8 = 0xFD
    static let resend: UInt8 = 0xFE
    static let reset: UInt8 = 0xFF
  }
  private enum Answer {
    static let acknowledge: UInt8 = 0xFA
    static let selfTestPassed: UInt8 = 0xAA
    static let resend: UInt8 = 0xFE
    static let overrun: UInt8 = 0x00
  }

  /// Told when the guest sets the lights.
  public var onLEDs: ((KeyboardLEDs) -> Void)?
  var onOutput: () -> Void = {}
  private(set) var state = State()

  /// Everything the keyboard keeps.
  struct State: Codable, Equatable, Sendable {
    var queue = PS2Queue()
    var scanCodeSet = 2
    var isScanning = true
    var leds: UInt8 = 0
    /// A command whose parameter is awaited.
    var pendingCommand: UInt8?
    var lastSent: UInt8 = 0
    /// The translator saw a break prefix.
    var sawBreak = false
    var modifiers: UInt8 = 0
  }

  init() {}

  /// The lights as the guest set them.
  public var leds: KeyboardLEDs { KeyboardLEDs(rawValue: state.leds) }

  // MARK: Keys

  public func key(_ code: KeyCode, isDown: Bool) {
    guard state.isScanning else { return }
    noteModifiers(code, isDown: isDown)
    let sequence = sequence(for: code, isDown: isDown)
    guard !sequence.isEmpty else { return }
    // A sequence that does not fit is lost whole.
    if state.queue.append(sequence) { onOutput() }
  }

  private static let controlBits: UInt8 = 0x03
  private static let altBits: UInt8 = 0x0C

  private func noteModifiers(_ code: KeyCode, isDown: Bool) {
    let bit: UInt8
    switch code {
    case .leftControl: bit = 1
    case .rightControl: bit = 2
    case .leftAlt: bit = 4
    case .rightAlt: bit = 8
    default: return
    }
    if isDown { state.modifiers |= bit } else { state.modifiers &= ~bit }
  }

  private func sequence(for code: KeyCode, isDown: Bool) -> [UInt8] {
    if state.scanCodeSet == 3 {
      let make = ScanCodes.set3(code)
      return make == 0 ? [] : isDown ? [make] : [0xF0, make]
    }
    let isSet1 = state.scanCodeSet == 1
    if code == .pause {
      guard isDown else { return [] }
      if state.modifiers & Self.controlBits != 0 { return isSet1 ? ScanCodes.breakSet1 : ScanCodes.breakSet2 }
      return isSet1 ? ScanCodes.pauseSet1 : ScanCodes.pauseSet2
    }
    var (scanCode, isExtended) = (code.scanCode, code.isExtended)
    // With Alt held, Print Screen is SysRq.
    if code == .printScreen && state.modifiers & Self.altBits != 0 { (scanCode, isExtended) = (0x54, false) }
    let prefix: [UInt8] = isExtended ? [0xE0] : []
    if isSet1 { return prefix + [isDown ? scanCode : scanCode | 0x80] }
    let make = ScanCodes.set2ForSet1[Int(scanCode & 0x7F)]
    guard make != 0 else { return [] }
    return prefix + (isDown ? [make] : [0xF0, make])
  }

  // MARK: The port

  func nextByte() -> UInt8? { nextByte(isTranslated: false) }

  /// The next byte, translated from set 2 to set 1 if the controller does so: the break prefix becomes bit 7 of what
  /// follows.
  func nextByte(isTranslated: Bool) -> UInt8? {
    while let byte = state.queue.next() {
      state.lastSent = byte
      guard isTranslated else {
        state.sawBreak = false
        return byte
      }
      if byte == 0xF0 {
        state.sawBreak = true
        continue
      }
      let code = Int(byte) < ScanCodes.set1ForSet2.count ? ScanCodes.set1ForSet2[Int(byte)] : byte
      let isBreak = state.sawBreak
      state.sawBreak = false
      return isBreak ? code | 0x80 : code
    }
    return nil
  }

  func receive(_ byte: UInt8) {
    if let command = state.pendingCommand {
      state.pendingCommand = nil
      // A command byte instead of a parameter starts anew.
      if byte < Command.setLEDs { return parameter(byte, of: command) }
    }
    switch byte {
    case Command.setLEDs, Command.scanCodeSet, Command.typematic:
      state.pendingCommand = byte
      answer(Answer.acknowledge)
    case 0xFB...Command.setKeyMake:
      // Key types of set 3 take key codes until the next command; they are acknowledged and change nothing.
      state.pendingCommand = byte
      answer(Answer.acknowledge)
    case Command.echo: answer(Command.echo)
    case Command.identify: answer(Answer.acknowledge, 0xAB, 0x83)
    case Command.enable:
      state.queue.removeAll()
      state.isScanning = true
      answer(Answer.acknowledge)
    case Command.disable:
      setDefaults()
      state.isScanning = false
      answer(Answer.acknowledge)
    case Command.setDefaults:
      setDefaults()
      answer(Answer.acknowledge)
    case Command.setAllTypematic..<0xFB: answer(Answer.acknowledge)
    case Command.resend: answer(state.lastSent)
    case Command.reset:
      setDefaults()
      state.leds = 0
      onLEDs?([])
      answer(Answer.acknowledge, Answer.selfTestPassed)
    default: answer(Answer.resend)
    }
  }

  private func parameter(_ byte: UInt8, of command: UInt8) {
    switch command {
    case Command.setLEDs:
      state.leds = byte & 7
      onLEDs?(leds)
      answer(Answer.acknowledge)
    case Command.scanCodeSet:
      if byte == 0 {
        answer(Answer.acknowledge, UInt8(state.scanCodeSet))
      } else if (1...3).contains(byte) {
        state.scanCodeSet = Int(byte)
        answer(Answer.acknowledge)
      } else {
        answer(Answer.resend)
      }
    default: answer(Answer.acknowledge)
    }
  }

  private func answer(_ bytes: UInt8...) {
    state.queue.appendAnswer(bytes)
    onOutput()
  }

  private func setDefaults() {
    state.queue.removeAll()
    state.scanCodeSet = 2
    state.isScanning = true
    state.sawBreak = false
  }

  // MARK: Life

  func reset() {
    state = State()
    onLEDs?([])
  }

  func save() -> State { state }

  func restore(_ new: State) throws(RestoreError) {
    guard new.queue.isValid, (1...3).contains(new.scanCodeSet) else {
      throw RestoreError("keyboard: the state holds a queue or scan code set that no keyboard has")
    }
    state = new
    onLEDs?(leds)
  }
}
