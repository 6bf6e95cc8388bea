// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop

/// Brings keys and pointer movements from wherever they arise (viewers, the monitor, scripts) to the guest's
/// keyboard and pointing device.
///
/// Events may come from any thread. They wait in a short queue and are handed over on the event loop with the
/// machine's lock held. Movements that the guest has not seen yet are merged, so a flood of them costs
/// nothing; if the queue is full nevertheless, events are dropped and all keys and buttons released.
public final class InputRouter: @unchecked Sendable {
  // Unchecked: `queue`, `isPosted`, `hasOverflowed`, `absolute` and `lights` are guarded by `queueLock`; the
  // rest by the machine's lock.

  /// The number of events that wait at most.
  public static let capacity = 1024

  private enum Event {
    case key(KeyCode, isDown: Bool)
    case relative(dx: Int, dy: Int, wheel: Int, buttons: PointerButtons)
    case absolute(x: Int, y: Int, wheel: Int, buttons: PointerButtons)
    case releaseAll
  }

  private let loop: EventLoop
  private let queueLock = MachineLock()
  private var queue: [Event] = []
  private var isPosted = false
  private var hasOverflowed = false
  private var absolute = false
  private var lights: KeyboardLEDs = []

  private var keyboards: [any KeyboardSink] = []
  private var pointers: [any PointerSink] = []
  private var heldKeys = KeySet()
  private var heldButtons: PointerButtons = []
  /// Where the pointer was put last, each 0 … 0x7FFF. Guarded by the machine's lock.
  public private(set) var position = (x: 0x4000, y: 0x4000)
  /// The buttons that are down. Guarded by the machine's lock.
  public var buttons: PointerButtons { heldButtons }

  /// A router without devices, whose events are handed over on `loop`.
  public init(loop: EventLoop) { self.loop = loop }

  // MARK: Devices. Called with the machine's lock held.

  /// Adds a keyboard. Keys go to the keyboard added last.
  public func attach(keyboard: any KeyboardSink) {
    releaseHeldKeys()
    keyboards.append(keyboard)
  }

  /// Takes a keyboard away.
  public func detach(keyboard: any KeyboardSink) {
    releaseHeldKeys()
    keyboards.removeAll { $0 === keyboard }
  }

  /// Adds a pointing device. Movements go to the one added last; devices that take positions come first.
  public func attach(pointer: any PointerSink) {
    pointers.append(pointer)
    pointerModeChanged()
  }

  /// Takes a pointing device away.
  public func detach(pointer: any PointerSink) {
    pointers.removeAll { $0 === pointer }
    pointerModeChanged()
  }

  /// A pointing device's ``PointerSink/isAbsolute`` changed.
  public func pointerModeChanged() {
    let isAbsolute = currentPointer?.isAbsolute ?? false
    queueLock.withLock { absolute = isAbsolute }
  }

  /// The guest switched the keyboard's lights.
  public func setLEDs(_ leds: KeyboardLEDs) { queueLock.withLock { lights = leds } }

  private var currentPointer: (any PointerSink)? { pointers.last { $0.isAbsolute } ?? pointers.last }

  // MARK: Events. Called on any thread.

  /// Whether the guest's pointing device takes positions.
  public var isAbsolute: Bool { queueLock.withLock { absolute } }

  /// The lights of the guest's keyboard.
  public var leds: KeyboardLEDs { queueLock.withLock { lights } }

  /// A key went down (again, if it repeats) or up.
  public func key(_ code: KeyCode, isDown: Bool) { add(.key(code, isDown: isDown)) }

  /// The pointer moved by `dx`, `dy` pixels, the wheel by `wheel` notches (down positive), and these buttons
  /// are now down. A device that takes positions sees only wheel and buttons, at its last position.
  public func movePointer(dx: Int, dy: Int, wheel: Int = 0, buttons: PointerButtons) {
    add(.relative(dx: dx, dy: dy, wheel: wheel, buttons: buttons))
  }

  /// The pointer is at `x`, `y`, each 0 … 0x7FFF over the whole screen (brought into that range). A device
  /// that takes movements sees only wheel and buttons.
  public func movePointer(toX x: Int, y: Int, wheel: Int = 0, buttons: PointerButtons) {
    let range = 0...0x7FFF
    add(
      .absolute(
        x: min(max(x, range.lowerBound), range.upperBound),
        y: min(max(y, range.lowerBound), range.upperBound),
        wheel: wheel, buttons: buttons))
  }

  /// Lets go of all keys and buttons that are down.
  public func releaseAllKeys() { add(.releaseAll) }

  private func add(_ event: Event) {
    let mustPost = queueLock.withLock {
      if !merge(event) {
        if queue.count < Self.capacity { queue.append(event) } else { hasOverflowed = true }
      }
      if isPosted { return false }
      isPosted = true
      return true
    }
    if mustPost { loop.post { self.deliver() } }
  }

  /// Merges a movement into the last one waiting, if no button changed in between.
  private func merge(_ event: Event) -> Bool {
    guard let last = queue.indices.last else { return false }
    switch (queue[last], event) {
    case (
      .relative(let dx, let dy, let wheel, let buttons), .relative(let dx2, let dy2, let wheel2, let buttons2)
    ) where buttons == buttons2:
      queue[last] = .relative(
        dx: Self.sum(dx, dx2), dy: Self.sum(dy, dy2), wheel: Self.sum(wheel, wheel2), buttons: buttons)
    case (.absolute(_, _, let wheel, let buttons), .absolute(let x, let y, let wheel2, let buttons2))
    where buttons == buttons2 && wheel2 == 0 && wheel == 0:
      queue[last] = .absolute(x: x, y: y, wheel: 0, buttons: buttons)
    default:
      return false
    }
    return true
  }

  /// A sum that stays within what any screen needs.
  private static func sum(_ a: Int, _ b: Int) -> Int { min(max(a &+ b, -0xFFFF), 0xFFFF) }

  // MARK: Delivery, with the machine's lock held

  private func deliver() {
    let (events, overflowed) = queueLock.withLock {
      defer {
        queue.removeAll(keepingCapacity: true)
        isPosted = false
        hasOverflowed = false
      }
      return (queue, hasOverflowed)
    }
    for event in events {
      switch event {
      case .key(let code, let isDown): deliver(code, isDown: isDown)
      case .relative(let dx, let dy, let wheel, let buttons):
        deliverMovement(dx: dx, dy: dy, wheel: wheel, buttons: buttons)
      case .absolute(let x, let y, let wheel, let buttons):
        deliverPosition(x: x, y: y, wheel: wheel, buttons: buttons)
      case .releaseAll: releaseEverything()
      }
    }
    if overflowed { releaseEverything() }
  }

  private func deliver(_ code: KeyCode, isDown: Bool) {
    if isDown { heldKeys.insert(code) } else { heldKeys.remove(code) }
    keyboards.last?.key(code, isDown: isDown)
  }

  private func deliverMovement(dx: Int, dy: Int, wheel: Int, buttons: PointerButtons) {
    guard let pointer = currentPointer else { return }
    heldButtons = buttons
    if pointer.isAbsolute {
      pointer.move(toX: position.x, y: position.y, wheel: wheel, buttons: buttons)
    } else {
      pointer.move(dx: dx, dy: dy, wheel: wheel, buttons: buttons)
    }
  }

  private func deliverPosition(x: Int, y: Int, wheel: Int, buttons: PointerButtons) {
    position = (x, y)
    guard let pointer = currentPointer else { return }
    heldButtons = buttons
    if pointer.isAbsolute {
      pointer.move(toX: x, y: y, wheel: wheel, buttons: buttons)
    } else {
      pointer.move(dx: 0, dy: 0, wheel: wheel, buttons: buttons)
    }
  }

  private func releaseEverything() {
    releaseHeldKeys()
    if !heldButtons.isEmpty { deliverMovement(dx: 0, dy: 0, wheel: 0, buttons: []) }
  }

  private func releaseHeldKeys() {
    let held = heldKeys
    heldKeys = KeySet()
    if let keyboard = keyboards.last { held.forEach { keyboard.key($0, isDown: false) } }
  }
}
