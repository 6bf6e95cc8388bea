// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import Display

/// A PS/2 mouse that can become an IntelliMouse (wheel) and an IntelliMouse Explorer (five buttons) by the sample rates
/// a driver knocks with (Microsoft, "PS/2 Mouse Protocol Extensions"; IBM PS/2 Hardware Interface Technical Reference).
///
/// Movement adds up until the guest takes a packet; a movement larger than a packet can tell is told in several.
public final class PS2Mouse: PointerSink, PS2Device {
  public var isAbsolute: Bool { false }
  var onOutput: () -> Void = {}
  private(set) var state = State()

  /// Everything the mouse keeps.
  struct State: Codable, Equatable, Sendable {
    /// Answers to commands, which go before packets.
    var answers = PS2Queue()
    /// The packet under way: there is never more than one, what follows is still movement.
    var packet = PS2Queue()
    var identity: UInt8 = 0
    var isReporting = false
    var isRemote = false
    var isWrapping = false
    /// Scaling 2:1.
    var isScaled = false
    var resolution: UInt8 = 2
    var sampleRate: UInt8 = 100
    /// The two sample rates before the present one: the knock.
    var previousRates: [UInt8] = [0, 0]
    var pendingCommand: UInt8?
    var lastSent: UInt8 = 0
    /// Movement not yet reported, as the mouse counts: up is positive.
    var dx = 0
    var dy = 0
    var wheel = 0
    /// The buttons that are down.
    var buttons: UInt8 = 0
    /// Buttons pressed since the last packet: a click between two packets is not lost.
    var clicked: UInt8 = 0
    var reportedButtons: UInt8 = 0
  }

  init() {}

  // MARK: Movement

  /// Movement that nobody takes is forgotten beyond this.
  private static let maximumBacklog = 2000
  private static let threeButtons: UInt8 = 0x07
  private static let fiveButtons: UInt8 = 0x1F

  /// Reports a movement, at once or with the next packet. It is forgotten while the guest wants no reports.
  public func move(dx: Int, dy: Int, wheel: Int, buttons: PointerButtons) {
    let pressed = buttons.rawValue & Self.fiveButtons
    let newlyPressed = pressed & ~state.buttons
    state.buttons = pressed
    guard state.isReporting || state.isRemote else { return }
    state.clicked |= newlyPressed
    state.dx = Self.sum(state.dx, dx)
    state.dy = Self.sum(state.dy, dy == .min ? .max : -dy)
    if state.identity != MouseIdentity.standard { state.wheel = Self.sum(state.wheel, wheel) }
    if mayReport { onOutput() }
  }

  public func move(toX x: Int, y: Int, wheel: Int, buttons: PointerButtons) {}

  private static func sum(_ value: Int, _ change: Int) -> Int {
    clamp(value + clamp(change, maximumBacklog), maximumBacklog)
  }

  private static func clamp(_ value: Int, _ limit: Int) -> Int { min(max(value, -limit), limit) }

  /// The buttons that the present kind of mouse has.
  private var buttonMask: UInt8 {
    state.identity == MouseIdentity.fiveButtons ? Self.fiveButtons : Self.threeButtons
  }

  /// Whether a packet is to be sent without being asked for.
  private var mayReport: Bool {
    guard state.isReporting && !state.isRemote && !state.isWrapping else { return false }
    let buttons = (state.buttons | state.clicked) & buttonMask
    return state.dx != 0 || state.dy != 0 || state.wheel != 0 || buttons != state.reportedButtons & buttonMask
  }

  /// The next packet; the movement in it is done with.
  private func makePacket() -> PS2Queue {
    let isScaled = state.isScaled && !state.isRemote
    let dx = Self.take(&state.dx, isScaled: isScaled)
    let dy = Self.take(&state.dy, isScaled: isScaled)
    let buttons = state.buttons | state.clicked
    state.clicked = 0
    state.reportedButtons = buttons
    var packet = PS2Queue()
    packet.append(
      MousePacket.alwaysSet | buttons & Self.threeButtons | (dx < 0 ? MousePacket.isXNegative : 0)
        | (dy < 0 ? MousePacket.isYNegative : 0))
    packet.append(UInt8(truncatingIfNeeded: dx))
    packet.append(UInt8(truncatingIfNeeded: dy))
    switch state.identity {
    case MouseIdentity.wheel:
      let wheel = Self.clamp(state.wheel, 127)
      state.wheel -= wheel
      packet.append(UInt8(truncatingIfNeeded: wheel))
    case MouseIdentity.fiveButtons:
      let wheel = Self.clamp(state.wheel, 7)
      state.wheel -= wheel
      packet.append(UInt8(truncatingIfNeeded: wheel) & 0x0F | (buttons & 0x18) << 1)
    default: state.wheel = 0
    }
    return packet
  }

  /// What fits in a packet, 9 bits with sign; scaled in stream mode if the guest wants it.
  private static func take(_ movement: inout Int, isScaled: Bool) -> Int {
    let taken = clamp(movement, isScaled ? 127 : 255)
    movement -= taken
    guard isScaled else { return taken }
    let magnitude = abs(taken)
    let scaled = magnitude < slowScale.count ? slowScale[magnitude] : 2 * magnitude
    return taken < 0 ? -scaled : scaled
  }

  /// Scaling 2:1 of small movements; larger ones are doubled.
  private static let slowScale = [0, 1, 1, 3, 6, 9]

  // MARK: The port

  func nextByte() -> UInt8? {
    if let answer = state.answers.next() {
      state.lastSent = answer
      return answer
    }
    if state.packet.isEmpty {
      guard mayReport else { return nil }
      state.packet = makePacket()
    }
    guard let byte = state.packet.next() else { return nil }
    state.lastSent = byte
    return byte
  }

  func receive(_ byte: UInt8) {
    // A command ends the packet under way; the buttons in it are told again.
    if !state.packet.isEmpty {
      state.packet.removeAll()
      state.reportedButtons = ~state.buttons
    }
    if state.isWrapping && byte != MouseCommand.resetWrap && byte != MouseCommand.reset {
      return answer(byte)
    }
    if let command = state.pendingCommand {
      state.pendingCommand = nil
      return parameter(byte, of: command)
    }
    switch byte {
    case MouseCommand.scale1To1, MouseCommand.scale2To1: state.isScaled = byte == MouseCommand.scale2To1
    case MouseCommand.setResolution, MouseCommand.setSampleRate: state.pendingCommand = byte
    case MouseCommand.status: return answerStatus()
    case MouseCommand.streamMode, MouseCommand.remoteMode:
      state.isRemote = byte == MouseCommand.remoteMode
      forgetMovement()
    case MouseCommand.readData: return answerData()
    case MouseCommand.wrapMode, MouseCommand.resetWrap: state.isWrapping = byte == MouseCommand.wrapMode
    case MouseCommand.identify: return answer(MouseAnswer.acknowledge, state.identity)
    case MouseCommand.enable, MouseCommand.disable:
      state.isReporting = byte == MouseCommand.enable
      forgetMovement()
    case MouseCommand.setDefaults: setDefaults()
    case MouseCommand.resend: return answer(state.lastSent)
    case MouseCommand.reset:
      setDefaults()
      state.identity = MouseIdentity.standard
      return answer(MouseAnswer.acknowledge, MouseAnswer.selfTestPassed, MouseIdentity.standard)
    default: return answer(MouseAnswer.error)
    }
    answer(MouseAnswer.acknowledge)
  }

  private func parameter(_ byte: UInt8, of command: UInt8) {
    if command == MouseCommand.setResolution {
      state.resolution = byte & 3
    } else {
      let knock = (state.previousRates[0], state.previousRates[1], byte)
      state.sampleRate = byte
      state.previousRates = [state.previousRates[1], byte]
      if knock == (200, 100, 80) { state.identity = MouseIdentity.wheel }
      if knock == (200, 200, 80) { state.identity = MouseIdentity.fiveButtons }
    }
    answer(MouseAnswer.acknowledge)
  }

  private func answerStatus() {
    var flags: UInt8 = 0
    if state.buttons & PointerButtons.right.rawValue != 0 { flags |= 1 << 0 }
    if state.buttons & PointerButtons.middle.rawValue != 0 { flags |= 1 << 1 }
    if state.buttons & PointerButtons.left.rawValue != 0 { flags |= 1 << 2 }
    if state.isScaled { flags |= 1 << 4 }
    if state.isReporting { flags |= 1 << 5 }
    if state.isRemote { flags |= 1 << 6 }
    answer(MouseAnswer.acknowledge, flags, state.resolution, state.sampleRate)
  }

  /// A packet, asked for.
  private func answerData() {
    var packet = makePacket()
    if state.answers.room < packet.count + 1 { state.answers.removeAll() }
    state.answers.append(MouseAnswer.acknowledge)
    while let byte = packet.next() { state.answers.append(byte) }
    onOutput()
  }

  /// Queues an answer. One that the guest does not fetch gives way to later ones.
  private func answer(_ bytes: UInt8...) {
    if state.answers.room < bytes.count { state.answers.removeAll() }
    state.answers.append(bytes)
    onOutput()
  }

  private func forgetMovement() {
    (state.dx, state.dy, state.wheel) = (0, 0, 0)
    state.clicked = 0
    state.reportedButtons = state.buttons
  }

  /// Stream mode, no reports, 1:1, 4 counts a millimetre, 100 samples a second. What the mouse was knocked into stays.
  private func setDefaults() {
    let (identity, buttons) = (state.identity, state.buttons)
    state = State()
    state.identity = identity
    state.buttons = buttons
    forgetMovement()
  }

  // MARK: Life

  func reset() { state = State() }
  func save() -> State { state }

  func restore(_ new: State) throws(RestoreError) {
    let identities = [MouseIdentity.standard, MouseIdentity.wheel, MouseIdentity.fiveButtons]
    let limit = UInt(Self.maximumBacklog)
    guard new.answers.isValid, new.packet.isValid, new.previousRates.count == 2,
      identities.contains(new.identity), new.dx.magnitude <= limit, new.dy.magnitude <= limit,
      new.wheel.magnitude <= limit
    else { throw RestoreError("mouse: the state holds values that no mouse has") }
    state = new
  }
}
