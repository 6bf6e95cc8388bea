// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import Display

/// A keyboard: QEMU's `usb-kbd`, with the boot protocol's reports in both protocols (HID 1.11 appendix B.1).
public final class USBKeyboard: HIDDevice, Device, KeyboardSink {
  public let deviceName: String
  /// Told when the guest sets the lights.
  public var onLEDs: ((KeyboardLEDs) -> Void)?
  private var keys = Keys()

  /// Everything about keys.
  struct Keys: Codable, Equatable, Sendable {
    /// Presses and releases not told yet: a usage each, and whether it was a press.
    var queue: [Event] = []
    /// The usages of the keys that are down, as told; modifiers not among them.
    var pressed: [UInt8] = []
    /// As told.
    var modifiers: UInt8 = 0
    /// The output report: the lights.
    var leds: UInt8 = 0

    struct Event: Codable, Equatable, Sendable {
      var usage: UInt8
      var isDown: Bool
    }

    /// Presses beyond so many that wait are lost; releases of keys that are down are not.
    static let pressCapacity = 48
    /// More keys than there are.
    static let keyCapacity = 256

    /// Whether a key is down, or will be once all is told.
    func willBeDown(_ usage: UInt8) -> Bool {
      if let last = queue.last(where: { $0.usage == usage }) { return last.isDown }
      if KeyUsage.modifiers.contains(usage) { return modifiers >> (usage & 7) & 1 != 0 }
      return pressed.contains(usage)
    }

    mutating func tell(_ event: Event) {
      if KeyUsage.modifiers.contains(event.usage) {
        let bit: UInt8 = 1 << (event.usage & 7)
        modifiers = event.isDown ? modifiers | bit : modifiers & ~bit
      } else {
        pressed.removeAll { $0 == event.usage }
        if event.isDown { pressed.append(event.usage) }
      }
    }

    /// The lights are kept.
    mutating func forget() { (queue, pressed, modifiers) = ([], [], 0) }

    var isValid: Bool { queue.count <= Self.keyCapacity && pressed.count <= Self.keyCapacity }
  }

  /// A keyboard that is not plugged in.
  /// - Parameter clock: what it repeats reports by.
  public init(clock: Clock, name: String = "usb-kbd", serial: String? = nil) {
    deviceName = name
    super.init(
      product: "Martlet USB Keyboard", serial: serial ?? "68284-0000:00:00.0-1",
      classCode: HIDInterface.keyboard,
      reportDescriptor: Self.reportDescriptor, reportSize: 8, clock: clock)
  }

  public func key(_ code: KeyCode, isDown: Bool) {
    let usage = KeyUsage.usage(code)
    guard usage != 0, isInUse, keys.willBeDown(usage) != isDown else { return }
    guard !isDown || keys.queue.count < Keys.pressCapacity else { return }
    keys.queue.append(Keys.Event(usage: usage, isDown: isDown))
    announce()
  }

  // MARK: Reports

  override var hasNews: Bool { !keys.queue.isEmpty }

  override func makeReport(_ report: UnsafeMutableRawBufferPointer) -> Int {
    if !keys.queue.isEmpty { keys.tell(keys.queue.removeFirst()) }
    return presentReport(report)
  }

  override func presentReport(_ report: UnsafeMutableRawBufferPointer) -> Int {
    guard report.count >= 8 else { return 0 }
    report[0] = keys.modifiers
    report[1] = 0
    let isTooMany = keys.pressed.count > 6
    for index in 0..<6 {
      report[2 + index] =
        isTooMany ? KeyUsage.errorRollOver : index < keys.pressed.count ? keys.pressed[index] : 0
    }
    return 8
  }

  override func takeOutput(_ report: UnsafeRawBufferPointer) -> Bool {
    guard let lights = report.first else { return false }
    keys.leds = lights & 0x1F
    tellLEDs()
    return true
  }

  /// Num lock, caps lock, scroll lock are bits 0 to 2 (HID Usage Tables, section 11).
  private func tellLEDs() {
    var leds: KeyboardLEDs = []
    if keys.leds & 1 != 0 { leds.insert(.numLock) }
    if keys.leds & 2 != 0 { leds.insert(.capsLock) }
    if keys.leds & 4 != 0 { leds.insert(.scrollLock) }
    onLEDs?(leds)
  }

  override func forget() { keys.forget() }

  // MARK: Life

  public func reset() { resetFromPort() }

  public struct State: SavedState {
    public static let version = 1
    var core: USBDeviceCore
    var hid: HIDCore
    var keys: Keys
  }

  public func save() -> State { State(core: saveCore(), hid: saveHID(), keys: keys) }

  public func restore(_ state: State) throws(RestoreError) {
    guard state.keys.isValid else { throw RestoreError("\(deviceName): its saved state is damaged") }
    try restore(core: state.core)
    keys = state.keys
    restore(hid: state.hid)
    tellLEDs()
  }

  /// HID 1.11 appendix E.6: eight modifiers, a byte, five lights out, six keys.
  private static let reportDescriptor: [UInt8] = [
    0x05, 0x01, 0x09, 0x06, 0xA1, 0x01,  // Generic Desktop, Keyboard, Application
    0x75, 0x01, 0x95, 0x08, 0x05, 0x07, 0x19, 0xE0, 0x29, 0xE7, 0x15, 0x00, 0x25, 0x01, 0x81, 0x02,
    0x95, 0x01, 0x75, 0x08, 0x81, 0x01,
    0x95, 0x05, 0x75, 0x01, 0x05, 0x08, 0x19, 0x01, 0x29, 0x05, 0x91, 0x02, 0x95, 0x01, 0x75, 0x03, 0x91,
    0x01,
    0x95, 0x06, 0x75, 0x08, 0x15, 0x00, 0x26, 0xFF, 0x00, 0x05, 0x07, 0x19, 0x00, 0x29, 0xFF, 0x81, 0x00,
    0xC0,
  ]
}
