// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import Display

/// A PS/2 mouse that can become an IntelliMouse (wheel) and an IntelliMouse Explorer (five buttons) by the sample rates
/// a driver knocks with (Microsoft, "PS/2 Mouse Protocol Extensions"; IBM PS/2 Hardware Interface Technical Reference).
public final class PS2Mouse: PointerSink, PS2Device {
  private enum Command {
    static let scale1To1: UInt8 = 0xE6
    static let scale2To1: UInt8 = 0xE7
    static let setResolution: UInt8 = 0xE8
    static let status: UInt8 = 0xE9
    static let streamMode: UInt8 = 0xEA
    static let readData: UInt8 = 0xEB
    static let resetWrap: UInt8 = 0xEC
    static let wrapMode: UInt8 = 0xEE
    static let remoteMode: UInt8 = 0xF0
    static let identify: UInt8 = 0xF2
    static let setSampleRate: UInt8 = 0xF3
    static let enable: UInt8 = 0xF4
    static let disable: UInt8 = 0xF5
    static let setDefaults: UInt8 = 0xF6
    static let resend: UInt8 = 0xFE
    static let reset: UInt8 = 0xFF
  }
  private enum Answer {
    static let acknowledge: UInt8 = 0xFA
    static let selfTestPassed: UInt8 = 0xAA
    static let error: UInt8 = 0xFC
  }
  private enum Identity {
    static let standard: UInt8 = 0
    static let wheel: UInt8 = 3
    static let fiveButtons: UInt8 = 4
  }

  public var isAbsolute: Bool { false }
  var onOutput: () -> Void = {}
  private(set) var state = State()

  /// Everything the mouse keeps.
  struct State: Codable, Equatable, Sendable {
    var queue = PS2Queue()
    var identity: UInt8 = 0
    var isReporting = false
    var isRemote = false
    var isWrapping = false
    var isScaled = false
    var resolution: UInt8 = 2
    var sampleRate: UInt8 = 100
    /// The last three sample rates: the knock.
    var rates: [UInt8] = [0, 0, 0]
    var pendingCommand: UInt8?
    var lastSent: UInt8 = 0
    /// Movement not yet reported.
    var dx = 0
    var dy = 0
    var wheel = 0
    var buttons: UInt8 = 0
    var reportedButtons: UInt8 = 0
  }

  init() {}

  // MARK: Movement

  /// Movement that nobody takes is forgotten beyond this.
  private static let maximumBacklog = 2000

  public func move(dx: Int, dy: Int, wheel: Int, buttons: PointerButtons) {
    func clamped(_ value: Int, _ change: Int) -> Int {
      let change = min(max(change, -Self.maximumBacklog), Self.maximumBacklog)
      return min(max(value + change, -Self.maximumBacklog), Self.maximumBacklog)
    }
    state.buttons = buttons.rawValue & 0x1F
    guard state.isReporting else { return }
    state.dx = clamped(state.dx, dx)
    // The mouse counts up as positive.
    state.dy = clamped(state.dy, dy == .min ? .max : -dy)
    state.wheel = clamped(state.wheel, wheel)
    guard !state.isRemote else { return }
    queuePackets()
  }

  public func move(toX x: Int, y: Int, wheel: Int, buttons: PointerButtons) {}

  private var packetByteCount: Int { state.identity == Identity.standard ? 3 : 4 }

  private var hasNews: Bool {
    state.dx != 0 || state.dy != 0 || (state.wheel != 0 && state.identity != Identity.standard)
      || state.buttons != state.reportedButtons
  }

  /// Queues packets while there is news and room; the rest waits until the guest has read some.
  private func queuePackets() {
    var isNew = false
    while hasNews, state.queue.room >= packetByteCount {
      _ = state.queue.append(nextPacket())
      isNew = true
    }
    if isNew { onOutput() }
  }

  private func nextPacket() -> [UInt8] {
    let dx = min(max(state.dx, -255), 255)
    let dy = min(max(state.dy, -255), 255)
    state.dx -= dx
    state.dy -= dy
    state.reportedButtons = state.buttons
    let first = 0x08 | state.buttons & 7 | (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0)
    var packet = [first, UInt8(truncatingIfNeeded: dx), UInt8(truncatingIfNeeded: dy)]
    switch state.identity {
    case Identity.wheel:
      let wheel = min(max(state.wheel, -127), 127)
      state.wheel -= wheel
      packet.append(UInt8(truncatingIfNeeded: wheel))
    case Identity.fiveButtons:
      let wheel = min(max(state.wheel, -7), 7)
      state.wheel -= wheel
      packet.append(UInt8(truncatingIfNeeded: wheel) & 0x0F | (state.buttons & 0x18) << 1)
    default: state.wheel = 0
    }
    return packet
  }

  // MARK: The port

  func nextByte() -> UInt8? {
    guard let byte = state.queue.next() else { return nil }
    state.lastSent = byte
    if state.isReporting && !state.isRemote && hasNews && state.queue.room >= packetByteCount {
      _ = state.queue.append(nextPacket())
    }
    return byte
  }

  func receive(_ byte: UInt8) {
    if state.isWrapping && byte != Command.resetWrap && byte != Command.reset { return answer(byte) }
    if let command = state.pendingCommand {
      state.pendingCommand = nil
      return parameter(byte, of: command)
    }
    switch byte {
    case Command.scale1To1, Command.scale2To1:
      state.isScaled = byte == Command.scale2To1
      answer(Answer.acknowledge)
    case Command.setResolution, Command.setSampleRate:
      state.pendingCommand = byte
      answer(Answer.acknowledge)
    case Command.status:
      let buttons = (state.buttons & 1) << 2 | (state.buttons & 4) >> 1 | (state.buttons & 2) >> 1
      let flags =
        (state.isRemote ? 0x40 : 0) | (state.isReporting ? 0x20 : 0) | (state.isScaled ? 0x10 : 0) as UInt8
      answer(Answer.acknowledge, flags | buttons, state.resolution, state.sampleRate)
    case Command.streamMode, Command.remoteMode:
      state.isRemote = byte == Command.remoteMode
      answer(Answer.acknowledge)
    case Command.readData:
      state.queue.appendAnswer([Answer.acknowledge] + nextPacket())
      onOutput()
    case Command.wrapMode, Command.resetWrap:
      state.isWrapping = byte == Command.wrapMode
      answer(Answer.acknowledge)
    case Command.identify: answer(Answer.acknowledge, state.identity)
    case Command.enable:
      state.isReporting = true
      answer(Answer.acknowledge)
    case Command.disable:
      state.isReporting = false
      answer(Answer.acknowledge)
    case Command.setDefaults:
      setDefaults()
      answer(Answer.acknowledge)
    case Command.resend: answer(state.lastSent)
    case Command.reset:
      setDefaults()
      state.identity = Identity.standard
      state.isWrapping = false
      answer(Answer.acknowledge, Answer.selfTestPassed, Identity.standard)
    default: answer(Answer.error)
    }
  }

  private func parameter(_ byte: UInt8, of command: UInt8) {
    if command == Command.setResolution {
      state.resolution = byte & 3
    } else {
      state.sampleRate = byte
      state.rates = [state.rates[1], state.rates[2], byte]
      if state.rates == [200, 100, 80] && state.identity == Identity.standard {
        state.identity = Identity.wheel
      }
      if state.rates == [200, 200, 80] && state.identity == Identity.wheel {
        state.identity = Identity.fiveButtons
      }
    }
    answer(Answer.acknowledge)
  }

  private func answer(_ bytes: UInt8...) {
    state.queue.appendAnswer(bytes)
    onOutput()
  }

  private func setDefaults() {
    let (identity, buttons) = (state.identity, state.buttons)
    state = State()
    (state.identity, state.buttons) = (identity, buttons)
  }

  // MARK: Life

  func reset() { state = State() }
  func save() -> State { state }

  func restore(_ new: State) throws(RestoreError) {
    guard new.queue.isValid, new.rates.count == 3, new.dx.magnitude <= Self.maximumBacklog,
      new.dy.magnitude <= Self.maximumBacklog, new.wheel.magnitude <= Self.maximumBacklog,
      [Identity.standard, Identity.wheel, Identity.fiveButtons].contains(new.identity)
    else { throw RestoreError("mouse: the state holds values that no mouse has") }
    state = new
  }
}
