// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import Display

/// A mouse, QEMU's `usb-mouse`, or a tablet, `usb-tablet`, which reports where the pointer is instead of how it moved.
///
/// Movements that wait become one; a change of buttons is told by itself, so that no click is lost.
public final class USBPointer: HIDDevice, Device, PointerSink {
  public enum Kind: Sendable {
    case mouse
    case tablet
  }

  public let deviceName: String
  public let isAbsolute: Bool
  private var waiting = Waiting()

  /// What is to be told.
  struct Waiting: Codable, Equatable, Sendable {
    /// A movement with the buttons that are down from then on.
    struct Entry: Codable, Equatable, Sendable {
      /// A mouse's way, or a tablet's place.
      var x = 0
      var y = 0
      var wheel = 0
      var buttons: UInt8 = 0
    }

    var queue: [Entry] = []
    /// As told last: the buttons, a tablet's place.
    var told = Entry()

    static let capacity = 16

    var isValid: Bool {
      let limit = -HIDLimit.sum...HIDLimit.sum
      return queue.count <= Self.capacity
        && (queue + [told]).allSatisfy { limit ~= $0.x && limit ~= $0.y && limit ~= $0.wheel }
    }
  }

  private enum HIDLimit {
    /// What waits adds up to this at most.
    static let sum = 0xFFFF
    /// What a report can tell of a movement.
    static let movement = 127
    /// The tablet's right and lower edges.
    static let position = 0x7FFF
  }

  /// A pointing device that is not plugged in.
  /// - Parameter clock: what it repeats reports by.
  public init(_ kind: Kind, clock: Clock, name: String? = nil, serial: String? = nil) {
    isAbsolute = kind == .tablet
    deviceName = name ?? (kind == .tablet ? "usb-tablet" : "usb-mouse")
    super.init(
      product: kind == .tablet ? "Martlet USB Tablet" : "Martlet USB Mouse",
      serial: serial ?? "28754-0000:00:00.0-1",
      classCode: kind == .tablet ? HIDInterface.other : HIDInterface.mouse,
      reportDescriptor: kind == .tablet ? Self.tabletReport : Self.mouseReport, reportSize: 8, clock: clock)
  }

  // MARK: Movement

  public func move(dx: Int, dy: Int, wheel: Int, buttons: PointerButtons) {
    guard !isAbsolute, isInUse else { return }
    // Drivers count a wheel turned up as positive.
    note(Waiting.Entry(x: clamp(dx), y: clamp(dy), wheel: -clamp(wheel), buttons: buttons.rawValue & 0x1F))
  }

  public func move(toX x: Int, y: Int, wheel: Int, buttons: PointerButtons) {
    guard isAbsolute, isInUse else { return }
    note(
      Waiting.Entry(
        x: min(max(x, 0), HIDLimit.position), y: min(max(y, 0), HIDLimit.position), wheel: -clamp(wheel),
        buttons: buttons.rawValue & 0x1F))
  }

  private func note(_ entry: Waiting.Entry) {
    let last = waiting.queue.count - 1
    if last >= 0, waiting.queue[last].buttons == entry.buttons || waiting.queue.count >= Waiting.capacity {
      let previous = waiting.queue[last]
      waiting.queue[last] = Waiting.Entry(
        x: isAbsolute ? entry.x : clamp(previous.x + entry.x),
        y: isAbsolute ? entry.y : clamp(previous.y + entry.y),
        wheel: clamp(previous.wheel + entry.wheel), buttons: entry.buttons)
    } else {
      let told = waiting.told
      let isNews =
        entry.buttons != told.buttons || entry.wheel != 0
        || (isAbsolute ? entry.x != told.x || entry.y != told.y : entry.x != 0 || entry.y != 0)
      guard isNews || last >= 0 else { return }
      waiting.queue.append(entry)
    }
    announce()
  }

  private func clamp(_ value: Int) -> Int { min(max(value, -HIDLimit.sum), HIDLimit.sum) }

  // MARK: Reports

  override var hasNews: Bool { !waiting.queue.isEmpty }

  override func makeReport(_ report: UnsafeMutableRawBufferPointer) -> Int {
    guard !waiting.queue.isEmpty else { return presentReport(report) }
    var entry = waiting.queue[0]
    var part = entry
    part.wheel = step(entry.wheel)
    if !isAbsolute { (part.x, part.y) = (step(entry.x), step(entry.y)) }
    entry.wheel -= part.wheel
    var isDone = entry.wheel == 0
    if !isAbsolute {
      entry.x -= part.x
      entry.y -= part.y
      isDone = isDone && entry.x == 0 && entry.y == 0
    }
    if isDone { waiting.queue.removeFirst() } else { waiting.queue[0] = entry }
    waiting.told = Waiting.Entry(
      x: isAbsolute ? part.x : 0, y: isAbsolute ? part.y : 0, buttons: part.buttons)
    return encode(part, report)
  }

  override func presentReport(_ report: UnsafeMutableRawBufferPointer) -> Int { encode(waiting.told, report) }

  private func step(_ value: Int) -> Int { min(max(value, -HIDLimit.movement), HIDLimit.movement) }

  private func encode(_ entry: Waiting.Entry, _ report: UnsafeMutableRawBufferPointer) -> Int {
    guard report.count >= 6 else { return 0 }
    func byte(_ value: Int) -> UInt8 { UInt8(truncatingIfNeeded: value) }
    guard isAbsolute else {
      // Boot reports have the same first three bytes (HID 1.11 appendix B.2).
      let isBoot = hid.reportProtocol == 0
      report[0] = isBoot ? entry.buttons & 7 : entry.buttons
      report[1] = byte(entry.x)
      report[2] = byte(entry.y)
      report[3] = byte(entry.wheel)
      return isBoot ? 3 : 4
    }
    report[0] = entry.buttons
    report[1] = byte(entry.x)
    report[2] = byte(entry.x >> 8)
    report[3] = byte(entry.y)
    report[4] = byte(entry.y >> 8)
    report[5] = byte(entry.wheel)
    return 6
  }

  override func forget() { waiting = Waiting() }

  // MARK: Life

  public func reset() { resetFromPort() }

  public struct State: SavedState {
    public static let version = 1
    var core: USBDeviceCore
    var hid: HIDCore
    var waiting: Waiting
  }

  public func save() -> State { State(core: saveCore(), hid: saveHID(), waiting: waiting) }

  public func restore(_ state: State) throws(RestoreError) {
    guard state.waiting.isValid else { throw RestoreError("\(deviceName): its saved state is damaged") }
    try restore(core: state.core)
    waiting = state.waiting
    restore(hid: state.hid)
  }

  /// Five buttons; X, Y and the wheel as movements of a byte (HID 1.11 appendix E.10).
  private static let mouseReport: [UInt8] =
    pointerHead + [
      0x05, 0x01, 0x09, 0x30, 0x09, 0x31, 0x09, 0x38, 0x15, 0x81, 0x25, 0x7F, 0x75, 0x08, 0x95, 0x03, 0x81,
      0x06,
      0xC0, 0xC0,
    ]

  /// Five buttons; X and Y from 0 to 0x7FFF; the wheel as a movement.
  private static let tabletReport: [UInt8] =
    pointerHead + [
      0x05, 0x01, 0x09, 0x30, 0x09, 0x31, 0x15, 0x00, 0x26, 0xFF, 0x7F, 0x35, 0x00, 0x46, 0xFF, 0x7F,
      0x75, 0x10, 0x95, 0x02, 0x81, 0x02,
      0x05, 0x01, 0x09, 0x38, 0x15, 0x81, 0x25, 0x7F, 0x35, 0x00, 0x45, 0x00, 0x75, 0x08, 0x95, 0x01, 0x81,
      0x06,
      0xC0, 0xC0,
    ]

  /// Generic Desktop, Mouse, Application; Pointer, Physical; Button 1 to 5, and three bits of nothing.
  private static let pointerHead: [UInt8] = [
    0x05, 0x01, 0x09, 0x02, 0xA1, 0x01, 0x09, 0x01, 0xA1, 0x00,
    0x05, 0x09, 0x19, 0x01, 0x29, 0x05, 0x15, 0x00, 0x25, 0x01, 0x95, 0x05, 0x75, 0x01, 0x81, 0x02,
    0x95, 0x01, 0x75, 0x03, 0x81, 0x01,
  ]
}
