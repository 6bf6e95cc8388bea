// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import Display

/// The 8042 keyboard controller with a PS/2 keyboard and mouse behind it, at I/O ports 0x60 and 0x64.
public final class KeyboardController8042: RegisterFile, Device {
  /// The windows: data at 0x60, status and command at 0x64.
  public enum Window {
    case data
    case command
  }

  public let deviceName = "i8042"
  /// The keyboard.
  public let keyboard = PS2Keyboard()
  /// The mouse.
  public let mouse = PS2Mouse()
  private let trace = TraceCategory("i8042")
  public var traceCategories: [TraceCategory] { [trace] }

  private let keyboardInterrupt: InterruptLine
  private let mouseInterrupt: InterruptLine
  private let control: any SystemControl

  private var status: UInt8 = 0
  private var mode: UInt8 = 0
  private var outputPort: UInt8 = 0
  /// What is in the output buffer, while the status says it is full.
  private var output: UInt8 = 0
  /// A command whose parameter is awaited at port 0x60.
  private var pendingCommand: UInt8?
  /// The controller's own answer, while the output buffer is full with something else.
  private var waitingAnswer: Answer?
  private var translator = ScanCodeTranslator()

  /// A byte of the controller itself.
  struct Answer: Codable, Equatable, Sendable {
    var byte: UInt8
    /// It is to look like the mouse's.
    var isMouse: Bool
  }

  /// The controller; the interrupts are ISA IRQs 1 and 12.
  public init(keyboardInterrupt: InterruptLine, mouseInterrupt: InterruptLine, control: any SystemControl) {
    self.keyboardInterrupt = keyboardInterrupt
    self.mouseInterrupt = mouseInterrupt
    self.control = control
    setResetValues()
    keyboard.onOutput = { [unowned self] in fillOutput() }
    mouse.onOutput = { [unowned self] in fillOutput() }
  }

  /// Maps the ports.
  public func map(in ports: PortSpace) {
    ports.map(RegisterWindow(self, .data, name: "i8042-data", count: 1), at: 0x60)
    ports.map(RegisterWindow(self, .command, name: "i8042-cmd", count: 1), at: 0x64)
  }

  // MARK: Registers

  public func read(_ window: Window, offset: Int, width: AccessWidth) -> UInt64 {
    guard window == .data else { return UInt64(status) }
    let value = output
    status &= ~(KBCStatus.outputFull | KBCStatus.auxiliaryFull)
    updateInterrupts()
    fillOutput()
    return UInt64(value)
  }

  public func write(_ window: Window, offset: Int, value: UInt64, width: AccessWidth) {
    let byte = UInt8(truncatingIfNeeded: value)
    switch window {
    case .command:
      status |= KBCStatus.command
      command(byte)
    case .data:
      status &= ~KBCStatus.command
      data(byte)
    }
  }

  private func command(_ command: UInt8) {
    trace("command \(hex(command))")
    pendingCommand = nil
    switch command {
    case KBCCommand.readMode: answer(mode)
    case KBCCommand.testPassword: answer(KBCAnswer.noPassword)
    case KBCCommand.disableMouse: mode |= KBCMode.mouseDisabled
    case KBCCommand.enableMouse:
      mode &= ~KBCMode.mouseDisabled
      fillOutput()
    case KBCCommand.testMouse, KBCCommand.testKeyboard: answer(KBCAnswer.testPassed)
    case KBCCommand.selfTest:
      status |= KBCStatus.systemFlag
      mode |= KBCMode.systemFlag
      answer(KBCAnswer.selfTestPassed)
    case KBCCommand.disableKeyboard:
      mode |= KBCMode.keyboardDisabled
      updateInterrupts()
    case KBCCommand.enableKeyboard:
      mode &= ~KBCMode.keyboardDisabled
      updateInterrupts()
      fillOutput()
    case KBCCommand.readInputPort: answer(KBCAnswer.inputPort)
    case KBCCommand.readOutputPort: answer(readableOutputPort)
    case KBCCommand.writeMode, KBCCommand.writeOutputPort, KBCCommand.writeKeyboardOutput,
      KBCCommand.writeMouseOutput, KBCCommand.writeMouse:
      pendingCommand = command
    case KBCCommand.disableA20: writeOutputPort(outputPort & ~KBCOutputPort.a20)
    case KBCCommand.enableA20: writeOutputPort(outputPort | KBCOutputPort.a20)
    case KBCCommand.pulseOutput...0xFF:
      // A zero bit pulses its line low; bit 0 is the CPU's reset.
      if command & KBCOutputPort.notReset == 0 { control.requestReset(.guest) }
    default: break
    }
  }

  private func data(_ byte: UInt8) {
    let command = pendingCommand
    pendingCommand = nil
    switch command {
    case nil:
      // A byte for the keyboard enables its interface.
      mode &= ~KBCMode.keyboardDisabled
      updateInterrupts()
      keyboard.receive(byte)
    case KBCCommand.writeMode?:
      if (mode ^ byte) & KBCMode.translate != 0 { translator.clear() }
      mode = byte
      status = status & ~KBCStatus.systemFlag | byte & KBCMode.systemFlag
      updateInterrupts()
      fillOutput()
    case KBCCommand.writeOutputPort?: writeOutputPort(byte)
    case KBCCommand.writeKeyboardOutput?: answer(byte)
    case KBCCommand.writeMouseOutput?: answer(byte, isMouse: true)
    default:
      mode &= ~KBCMode.mouseDisabled
      mouse.receive(byte)
    }
  }

  private var readableOutputPort: UInt8 {
    var value = outputPort | KBCOutputPort.idleLines
    if status & KBCStatus.outputFull != 0 {
      value |= status & KBCStatus.auxiliaryFull != 0 ? KBCOutputPort.mouseFull : KBCOutputPort.keyboardFull
    }
    return value
  }

  private func writeOutputPort(_ value: UInt8) {
    let changed = outputPort ^ value
    outputPort = value & (KBCOutputPort.notReset | KBCOutputPort.a20)
    if changed & KBCOutputPort.a20 != 0 { control.setA20(isEnabled: value & KBCOutputPort.a20 != 0) }
    if value & KBCOutputPort.notReset == 0 { control.requestReset(.guest) }
  }

  // MARK: Output buffer

  /// An answer of the controller itself goes before all that waits, but does not push out what the guest may be
  /// reading.
  private func answer(_ byte: UInt8, isMouse: Bool = false) {
    waitingAnswer = Answer(byte: byte, isMouse: isMouse)
    fillOutput()
  }

  /// Takes the next byte when the buffer is empty: the controller's, the keyboard's, the mouse's.
  private func fillOutput() {
    guard status & KBCStatus.outputFull == 0 else { return }
    if let answer = waitingAnswer {
      waitingAnswer = nil
      put(answer.byte, isMouse: answer.isMouse)
    } else if mode & KBCMode.keyboardDisabled == 0, let byte = nextKeyboardByte() {
      put(byte, isMouse: false)
    } else if mode & KBCMode.mouseDisabled == 0, let byte = mouse.nextByte() {
      put(byte, isMouse: true)
    }
  }

  private func nextKeyboardByte() -> UInt8? {
    while let byte = keyboard.nextByte() {
      guard mode & KBCMode.translate != 0 else { return byte }
      if let translated = translator.translate(byte) { return translated }
    }
    return nil
  }

  private func put(_ byte: UInt8, isMouse: Bool) {
    output = byte
    status &= ~KBCStatus.auxiliaryFull
    status |= KBCStatus.outputFull | (isMouse ? KBCStatus.auxiliaryFull : 0)
    updateInterrupts()
  }

  private func updateInterrupts() {
    let isFull = status & KBCStatus.outputFull != 0
    let isMouse = status & KBCStatus.auxiliaryFull != 0
    let isKeyboardEnabled =
      mode & (KBCMode.keyboardInterrupt | KBCMode.keyboardDisabled) == KBCMode.keyboardInterrupt
    keyboardInterrupt.set(isFull && !isMouse && isKeyboardEnabled)
    mouseInterrupt.set(isFull && isMouse && mode & KBCMode.mouseInterrupt != 0)
  }

  // MARK: Life

  private func setResetValues() {
    status = KBCStatus.command | KBCStatus.keyboardUnlocked
    mode = KBCMode.keyboardInterrupt | KBCMode.mouseInterrupt
    outputPort = KBCOutputPort.notReset | KBCOutputPort.a20
    output = 0
    pendingCommand = nil
    waitingAnswer = nil
    translator = ScanCodeTranslator()
  }

  public func reset() {
    if outputPort & KBCOutputPort.a20 == 0 { control.setA20(isEnabled: true) }
    setResetValues()
    keyboard.reset()
    mouse.reset()
    updateInterrupts()
  }

  /// The registers of the controller and both devices.
  public struct State: SavedState {
    public static let version = 1
    var status: UInt8
    var mode: UInt8
    var outputPort: UInt8
    var output: UInt8
    var pendingCommand: UInt8?
    var answer: Answer?
    var translator: ScanCodeTranslator
    var keyboard: PS2Keyboard.State
    var mouse: PS2Mouse.State
  }

  public func save() -> State {
    State(
      status: status, mode: mode, outputPort: outputPort, output: output, pendingCommand: pendingCommand,
      answer: waitingAnswer, translator: translator, keyboard: keyboard.save(), mouse: mouse.save())
  }

  public func restore(_ state: State) throws(RestoreError) {
    try keyboard.restore(state.keyboard)
    try mouse.restore(state.mouse)
    if (outputPort ^ state.outputPort) & KBCOutputPort.a20 != 0 {
      control.setA20(isEnabled: state.outputPort & KBCOutputPort.a20 != 0)
    }
    status = state.status & KBCStatus.all
    mode = state.mode
    outputPort = state.outputPort & (KBCOutputPort.notReset | KBCOutputPort.a20)
    output = state.output
    waitingAnswer = state.answer
    translator = state.translator
    pendingCommand = state.pendingCommand
    updateInterrupts()
    fillOutput()
  }
}
