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
    case KBCCommand.readMode: put(mode)
    case KBCCommand.disableMouse: mode |= KBCMode.mouseDisabled
    case KBCCommand.enableMouse:
      mode &= ~KBCMode.mouseDisabled
      fillOutput()
    case KBCCommand.testMouse, KBCCommand.testKeyboard: put(0)
    case KBCCommand.selfTest:
      status |= KBCStatus.systemFlag
      put(0x55)
    case KBCCommand.disableKeyboard: mode |= KBCMode.keyboardDisabled
    case KBCCommand.enableKeyboard:
      mode &= ~KBCMode.keyboardDisabled
      fillOutput()
    case KBCCommand.readInputPort: put(0x80)
    case KBCCommand.readOutputPort: put(readableOutputPort)
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
      keyboard.receive(byte)
    case KBCCommand.writeMode?:
      mode = byte
      status = status & ~KBCStatus.systemFlag | byte & KBCMode.systemFlag
      updateInterrupts()
      fillOutput()
    case KBCCommand.writeOutputPort?: writeOutputPort(byte)
    case KBCCommand.writeKeyboardOutput?: put(byte)
    case KBCCommand.writeMouseOutput?: put(byte, isMouse: true)
    default:
      mode &= ~KBCMode.mouseDisabled
      mouse.receive(byte)
    }
  }

  private var readableOutputPort: UInt8 {
    var value = outputPort
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

  /// An answer of the controller itself.
  private func put(_ byte: UInt8, isMouse: Bool = false) {
    output = byte
    status =
      status & ~KBCStatus.auxiliaryFull | KBCStatus.outputFull | (isMouse ? KBCStatus.auxiliaryFull : 0)
    updateInterrupts()
  }

  /// Takes the next byte of a device, the keyboard first, when the buffer is empty.
  private func fillOutput() {
    guard status & KBCStatus.outputFull == 0 else { return }
    if mode & KBCMode.keyboardDisabled == 0,
      let byte = keyboard.nextByte(isTranslated: mode & KBCMode.translate != 0)
    {
      put(byte)
    } else if mode & KBCMode.mouseDisabled == 0, let byte = mouse.nextByte() {
      put(byte, isMouse: true)
    }
  }

  private func updateInterrupts() {
    let isFull = status & KBCStatus.outputFull != 0
    let isMouse = status & KBCStatus.auxiliaryFull != 0
    keyboardInterrupt.set(isFull && !isMouse && mode & KBCMode.keyboardInterrupt != 0)
    mouseInterrupt.set(isFull && isMouse && mode & KBCMode.mouseInterrupt != 0)
  }

  // MARK: Life

  private func setResetValues() {
    status = KBCStatus.command | KBCStatus.keyboardUnlocked
    mode = KBCMode.keyboardInterrupt | KBCMode.mouseInterrupt
    outputPort = KBCOutputPort.notReset | KBCOutputPort.a20
    output = 0
    pendingCommand = nil
  }

  public func reset() {
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
    var keyboard: PS2Keyboard.State
    var mouse: PS2Mouse.State
  }

  public func save() -> State {
    State(
      status: status, mode: mode, outputPort: outputPort, output: output, pendingCommand: pendingCommand,
      keyboard: keyboard.save(), mouse: mouse.save())
  }

  public func restore(_ state: State) throws(RestoreError) {
    try keyboard.restore(state.keyboard)
    try mouse.restore(state.mouse)
    status = state.status
    mode = state.mode
    outputPort = state.outputPort
    output = state.output
    pendingCommand = state.pendingCommand
    updateInterrupts()
  }
}
