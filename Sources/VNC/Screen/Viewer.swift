// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import CVNCServer
import Display
import EventLoop
import Glibc

/// A viewer as the library knows it, and what it holds down. Only the screen thread uses it.
final class Viewer {
  /// What it can do beyond the protocol's core.
  struct Features: OptionSet {
    let rawValue: UInt8
    static let extendedKeys = Features(rawValue: 1)
    static let pointerMotion = Features(rawValue: 2)
    static let keyboardLEDs = Features(rawValue: 4)
  }

  let client: rfbClientPtr
  let link: ViewerLink
  /// It has been let in, and others know.
  var isAnnounced = false
  /// Its request came while the picture was old: it waits until the machine has drawn.
  var awaitsRefresh = false
  var watch: EventLoop.Watch?
  private unowned let service: ScreenService
  private var features: Features = []

  private var heldKeys = KeySet()
  private var typing = KeysymTyping()
  private var buttonMask: Int32 = 0
  private var buttons: PointerButtons = []
  private var lastPosition: (x: Int, y: Int)?
  private var announcedAbsolute: Bool?
  private var announcedLEDs: KeyboardLEDs?

  /// The viewer behind `client`.
  init(_ client: rfbClientPtr, link: ViewerLink, service: ScreenService) {
    (self.client, self.link, self.service) = (client, link, service)
  }

  /// The viewer that belongs to a client of the library; nil while it is not set up.
  static func of(_ client: rfbClientPtr?) -> Viewer? {
    guard let data = client?.pointee.clientData else { return nil }
    return Unmanaged<Viewer>.fromOpaque(data).takeUnretainedValue()
  }

  /// Whether the library has closed it.
  var isClosed: Bool { client.pointee.sock < 0 }

  /// Whether it waits for an update.
  var wantsUpdate: Bool {
    !isClosed && client.pointee.state == RFB_NORMAL
      && service.rfb.regionIsEmpty(client.pointee.requestedRegion) == 0
  }

  /// Sends it what changed, if it asked for that and takes what it gets.
  func update() {
    guard wantsUpdate, !awaitsRefresh else { return }
    var inFlight: Int32 = 0
    guard ioctl(client.pointee.sock, UInt(TIOCOUTQ), &inFlight) == 0, link.mayUpdate(inFlight: Int(inFlight))
    else { return }
    _ = service.rfb.updateClient(client)
  }

  /// Whether the viewer knows the password. If not, the network thread is told.
  func checkPassword(_ response: UnsafeBufferPointer<CChar>, challenge: [UInt8]) -> Bool {
    let isRight = service.accepts(response, to: challenge)
    link.hasFailedPassword = !isRight
    return isRight
  }

  // MARK: Pseudo-encodings

  /// The viewer understands a pseudo-encoding of QEMU's.
  /// - Returns: false if it is none.
  func enable(_ encoding: Int32) -> Bool {
    switch encoding {
    case RFB.Encoding.extendedKey:
      // The viewer may use the message once it has seen this.
      features.insert(.extendedKeys)
      announce(encoding, x: 0)
    case RFB.Encoding.extendedMouseButtons: announce(encoding, x: 0)
    case RFB.Encoding.pointerMotionChange:
      features.insert(.pointerMotion)
      announcedAbsolute = nil
      announceModes()
    case RFB.Encoding.keyboardLEDs:
      features.insert(.keyboardLEDs)
      announcedLEDs = nil
      announceModes()
    default: return false
    }
    return true
  }

  /// Tells the viewer whether the guest wants positions or movements, and the keyboard's lights, where they
  /// changed.
  func announceModes() {
    guard !isClosed, !features.isDisjoint(with: [.pointerMotion, .keyboardLEDs]) else { return }
    if features.contains(.pointerMotion) {
      let isAbsolute = service.input.isAbsolute
      if announcedAbsolute != isAbsolute {
        announcedAbsolute = isAbsolute
        announce(RFB.Encoding.pointerMotionChange, x: isAbsolute ? 1 : 0)
      }
    }
    if features.contains(.keyboardLEDs) {
      let leds = service.input.leds
      if announcedLEDs != leds {
        announcedLEDs = leds
        announce(RFB.Encoding.keyboardLEDs, x: 0, data: [leds.rawValue])
      }
    }
  }

  /// Sends an update of one rectangle that has no pixels.
  private func announce(_ encoding: Int32, x: UInt16, data: [UInt8] = []) {
    var message: [UInt8] = [0, 0, 0, 1]
    message.append(bigEndian: x)
    message.append(bigEndian: UInt16(0))
    message.append(bigEndian: UInt16(truncatingIfNeeded: client.pointee.screen.pointee.width))
    message.append(bigEndian: UInt16(truncatingIfNeeded: client.pointee.screen.pointee.height))
    message.append(bigEndian: encoding)
    message += data
    let result = message.withUnsafeBytes { bytes in
      service.rfb.writeExact(
        client, bytes.baseAddress!.assumingMemoryBound(to: CChar.self), Int32(bytes.count))
    }
    if result < 0 { service.rfb.closeClient(client) }
  }

  // MARK: Keys

  /// A message of QEMU's arrived; all of it is there to be read.
  func readExtension() -> Bool {
    var message = [UInt8](repeating: 0, count: 11)
    let result = message.withUnsafeMutableBytes { bytes in
      service.rfb.readExact(
        client, bytes.baseAddress!.assumingMemoryBound(to: CChar.self), Int32(bytes.count))
    }
    guard result > 0 else { return false }
    if message[0] == RFB.Message.internalPointerEvent {
      let mask = Int32(message[1] & 0x7F) | Int32(message[6] & 3) << 7
      movePointer(
        mask: mask, x: Int(message[2]) << 8 | Int(message[3]), y: Int(message[4]) << 8 | Int(message[5]))
      return true
    }
    func dword(_ offset: Int) -> UInt32 { message[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) } }
    let isDown = message[1] != 0 || message[2] != 0
    if let key = KeyCode(extendedKeyEvent: dword(7)) {
      press(key, isDown: isDown)
    } else {
      type(dword(3), isDown: isDown)
    }
    return true
  }

  /// A key symbol went down or up.
  func type(_ keysym: UInt32, isDown: Bool) {
    guard let layout = service.keyboardLayout() else { return }
    let isKnown = typing.type(keysym, isDown: isDown, layout: layout, leds: service.input.leds) {
      press($0, isDown: $1)
    }
    if !isKnown && isDown {
      service.log.debug("no key of the layout gives symbol 0x\(String(keysym, radix: 16))")
    }
  }

  private func press(_ key: KeyCode, isDown: Bool) {
    if isDown { heldKeys.insert(key) } else { heldKeys.remove(key) }
    service.input.key(key, isDown: isDown)
    service.inputHappened()
  }

  /// Lets go of what the viewer holds.
  func releaseEverything() {
    heldKeys.forEach { service.input.key($0, isDown: false) }
    heldKeys = KeySet()
    typing = KeysymTyping()
    if !buttons.isEmpty { service.input.movePointer(dx: 0, dy: 0, buttons: []) }
    buttons = []
  }

  // MARK: Pointer

  /// The pointer is at `x`, `y`, or moved, with the buttons of `mask` down (RFC 6143, 7.5.5).
  func movePointer(mask: Int32, x: Int, y: Int) {
    // Buttons 4 and 5 are notches of the wheel; 6 and 7, its other axis, have no place on a PC mouse.
    let pressed = mask & ~buttonMask
    let wheel = (pressed & 0x10 != 0 ? 1 : 0) - (pressed & 0x08 != 0 ? 1 : 0)
    buttonMask = mask
    buttons = PointerButtons(vnc: mask)
    if service.input.isAbsolute {
      let size = client.pointee.screen.pointee
      service.input.movePointer(
        toX: x * 0x7FFF / max(Int(size.width) - 1, 1), y: y * 0x7FFF / max(Int(size.height) - 1, 1),
        wheel: wheel,
        buttons: buttons)
      lastPosition = nil
    } else if features.contains(.pointerMotion) {
      // Movements are sent around the middle of the range.
      service.input.movePointer(dx: x - 0x7FFF, dy: y - 0x7FFF, wheel: wheel, buttons: buttons)
    } else {
      let last = lastPosition ?? (x, y)
      lastPosition = (x, y)
      service.input.movePointer(dx: x - last.x, dy: y - last.y, wheel: wheel, buttons: buttons)
    }
    service.inputHappened()
  }
}

extension PointerButtons {
  /// The buttons of RFB's mask: left, middle, right, the wheel's four, "back", "forward".
  fileprivate init(vnc mask: Int32) {
    self = []
    if mask & 0x01 != 0 { insert(.left) }
    if mask & 0x02 != 0 { insert(.middle) }
    if mask & 0x04 != 0 { insert(.right) }
    if mask & 0x80 != 0 { insert(.side) }
    if mask & 0x100 != 0 { insert(.extra) }
  }
}

extension KeyCode {
  /// The key in QEMU's extended key event: a scan code of set 1, whose prefix 0xE0 is bit 7 (or, from some
  /// viewers, the high byte). Nil for 0, "unknown", and what is no key.
  init?(extendedKeyEvent code: UInt32) {
    switch code {
    case 0x54: self = .printScreen  // SysRq, the same key
    case 0x01...0x7F, 0x81...0xFF: self.init(rawValue: UInt8(truncatingIfNeeded: code))
    case 0xE001...0xE07F: self.init(rawValue: UInt8(truncatingIfNeeded: code) | 0x80)
    default: return nil
    }
  }
}
