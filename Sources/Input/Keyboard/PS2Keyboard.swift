// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import Display

/// An MF-II keyboard with 102 keys on a PS/2 port: scan code sets 1, 2 and 3 (IBM PS/2 Hardware Interface Technical
/// Reference, keyboards).
public final class PS2Keyboard: KeyboardSink, PS2Device {
  /// Told when the guest sets the lights.
  public var onLEDs: ((KeyboardLEDs) -> Void)?
  var onOutput: () -> Void = {}
  private(set) var state = State()

  /// Everything the keyboard keeps.
  struct State: Codable, Equatable, Sendable {
    /// Answers to commands, which go before scan codes.
    var answers = PS2Queue()
    /// Scan codes, whole sequences only.
    var queue = PS2Queue()
    var backlog = KeyBacklog()
    var modifiers = KeyModifiers()
    var scanCodeSet = 2
    var isScanning = true
    var leds: UInt8 = 0
    /// A command whose parameter is awaited.
    var pendingCommand: UInt8?
    var lastSent: UInt8 = 0
  }

  init() {}

  /// The lights as the guest set them.
  public var leds: KeyboardLEDs { KeyboardLEDs(rawValue: state.leds) }

  // MARK: Keys

  /// Sends the key's scan codes, later if the guest is behind. Presses that come faster than the guest takes them for
  /// long are lost, and the guest told of an overrun; so are all while the guest has the keyboard disabled.
  public func key(_ code: KeyCode, isDown: Bool) {
    guard state.isScanning else { return }
    state.backlog.append(code, isDown: isDown)
    moveBacklog()
    if !state.queue.isEmpty { onOutput() }
  }

  /// Moves waiting keys into the queue while whole sequences fit.
  private func moveBacklog() {
    while let event = state.backlog.first {
      let code = KeyCode(rawValue: event.code)
      var modifiers = state.modifiers
      modifiers.note(code, isDown: event.isDown)
      let sequence = PS2Queue(code, isDown: event.isDown, set: state.scanCodeSet, modifiers: &modifiers)
      guard state.queue.take(sequence) else { return }
      state.modifiers = modifiers
      state.backlog.removeFirst()
    }
    if state.backlog.isOverrun, state.queue.room > 0 {
      state.queue.append(
        state.scanCodeSet == 1 ? KeyboardAnswer.overrunSet1 : KeyboardAnswer.overrunSet2)
      state.backlog.clearOverrun()
    }
  }

  // MARK: The port

  func nextByte() -> UInt8? {
    let byte: UInt8
    if let answer = state.answers.next() {
      byte = answer
    } else {
      moveBacklog()
      guard let scanCode = state.queue.next() else { return nil }
      byte = scanCode
    }
    state.lastSent = byte
    return byte
  }

  func receive(_ byte: UInt8) {
    if let command = state.pendingCommand {
      state.pendingCommand = nil
      // A command byte instead of a parameter starts anew.
      if byte < KeyboardCommand.setLEDs { return parameter(byte, of: command) }
    }
    switch byte {
    case KeyboardCommand.setLEDs, KeyboardCommand.scanCodeSet, KeyboardCommand.typematic,
      KeyboardCommand.setKeys:
      state.pendingCommand = byte
      answer(KeyboardAnswer.acknowledge)
    case KeyboardCommand.echo: answer(KeyboardCommand.echo)
    case KeyboardCommand.identify:
      answer(KeyboardAnswer.acknowledge, KeyboardAnswer.identity.0, KeyboardAnswer.identity.1)
    case KeyboardCommand.enable:
      forgetKeys()
      state.isScanning = true
      answer(KeyboardAnswer.acknowledge)
    case KeyboardCommand.disable, KeyboardCommand.setDefaults:
      setDefaults()
      state.isScanning = byte == KeyboardCommand.setDefaults
      answer(KeyboardAnswer.acknowledge)
    case KeyboardCommand.setAllKeys: answer(KeyboardAnswer.acknowledge)
    case KeyboardCommand.resend: answer(state.lastSent)
    case KeyboardCommand.reset:
      state.answers.removeAll()
      setDefaults()
      setLEDs(0)
      answer(KeyboardAnswer.acknowledge, KeyboardAnswer.selfTestPassed)
    default: answer(KeyboardAnswer.resend)
    }
  }

  private func parameter(_ byte: UInt8, of command: UInt8) {
    switch command {
    case KeyboardCommand.setLEDs:
      setLEDs(byte & 7)
      answer(KeyboardAnswer.acknowledge)
    case KeyboardCommand.scanCodeSet:
      if byte == 0 {
        answer(KeyboardAnswer.acknowledge, UInt8(truncatingIfNeeded: state.scanCodeSet))
      } else if (1...3).contains(byte) {
        state.scanCodeSet = Int(byte)
        answer(KeyboardAnswer.acknowledge)
      } else {
        answer(KeyboardAnswer.resend)
      }
    case KeyboardCommand.setKeys:
      // Key codes follow until the next command. All keys stay make, break and typematic.
      state.pendingCommand = command
      answer(KeyboardAnswer.acknowledge)
    default: answer(KeyboardAnswer.acknowledge)
    }
  }

  /// Queues an answer. One that the guest does not fetch gives way to later ones.
  private func answer(_ bytes: UInt8...) {
    if state.answers.room < bytes.count { state.answers.removeAll() }
    state.answers.append(bytes)
    onOutput()
  }

  private func setLEDs(_ leds: UInt8) {
    guard leds != state.leds else { return }
    state.leds = leds
    onLEDs?(self.leds)
  }

  private func forgetKeys() {
    state.queue.removeAll()
    state.backlog.removeAll()
  }

  private func setDefaults() {
    forgetKeys()
    state.scanCodeSet = 2
    state.isScanning = true
  }

  // MARK: Life

  func reset() {
    setLEDs(0)
    state = State()
  }

  func save() -> State { state }

  func restore(_ new: State) throws(RestoreError) {
    guard new.queue.isValid, new.answers.isValid, new.backlog.isValid, (1...3).contains(new.scanCodeSet)
    else {
      throw RestoreError("keyboard: the state holds a queue or scan code set that no keyboard has")
    }
    state = new
    onLEDs?(leds)
  }
}
