// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU

/// The two 8259A interrupt controllers of a PC, cascaded (Intel data sheet 231468; PIIX3 data sheet,
/// section 2.5.3): inputs 0 … 7 at the first, 8 … 15 at the second, whose output is input 2 of the first.
public final class PIC8259: RegisterFile {
  /// The windows: either chip's two registers, and the edge/level control registers of both.
  public enum Window {
    case first
    case second
    case elcr
  }

  private var first = PIC8259Chip(isFirst: true)
  private var second = PIC8259Chip(isFirst: false)
  /// Told when the INT output changes.
  private let outputChanged: (_ isRaised: Bool) -> Void
  /// The INT output: there is a request for ``acknowledge()`` to take.
  public private(set) var output = false

  /// A pair whose INT output goes to `outputChanged`.
  public init(outputChanged: @escaping (_ isRaised: Bool) -> Void) {
    self.outputChanged = outputChanged
  }

  /// Maps 0x20, 0x21, 0xA0, 0xA1, 0x4D0 and 0x4D1.
  public func map(in ports: PortSpace) {
    ports.map(RegisterWindow(self, .first, name: "pic1", count: 2), at: 0x20)
    ports.map(RegisterWindow(self, .second, name: "pic2", count: 2), at: 0xA0)
    ports.map(RegisterWindow(self, .elcr, name: "elcr", count: 2), at: 0x4D0)
  }

  /// After RESET#. The inputs keep their levels.
  public func reset() {
    first.reset()
    second.reset()
    update()
  }

  // MARK: Interrupts

  /// Input `number` (0 … 15) has the given level. Input 2 is the cascade and has no line.
  public func setInput(_ number: Int, isRaised: Bool) {
    guard (0..<16).contains(number), number != PIC8259Register.cascadeInput else { return }
    if number < 8 {
      first.setLine(number, isRaised: isRaised)
    } else {
      second.setLine(number - 8, isRaised: isRaised)
    }
    update()
  }

  /// The processor's INTA cycles: the vector of the most important request, which is now in service. If the
  /// request has gone, input 7 of the chip that was asked is what it answers ("Interrupt Sequence").
  public func acknowledge() -> UInt8 {
    defer { update() }
    guard let input = first.request else { return first.vector(of: 7) }
    first.accept(input)
    guard input == PIC8259Register.cascadeInput else { return first.vector(of: input) }
    guard let secondInput = second.request else { return second.vector(of: 7) }
    second.accept(secondInput)
    return second.vector(of: secondInput)
  }

  /// Passes the second chip's output to the first, and the first's to the processor.
  private func update() {
    first.setCascade(isRaised: second.request != nil)
    let raised = first.request != nil
    guard raised != output else { return }
    output = raised
    outputChanged(raised)
  }

  // MARK: Registers

  public func read(_ window: Window, offset: Int, width: AccessWidth) -> UInt64 {
    let value: UInt8
    switch window {
    case .first: value = first.read(offset)
    case .second: value = second.read(offset)
    case .elcr: return UInt64(offset == 0 ? first.elcr : second.elcr)
    }
    // A poll has acknowledged a request.
    update()
    return UInt64(value)
  }

  public func write(_ window: Window, offset: Int, value: UInt64, width: AccessWidth) {
    let byte = UInt8(truncatingIfNeeded: value)
    switch window {
    case .first: first.write(offset, byte)
    case .second: second.write(offset, byte)
    case .elcr: if offset == 0 { first.writeELCR(byte) } else { second.writeELCR(byte) }
    }
    update()
  }

  // MARK: State

  /// The registers of both chips, the first one first.
  public func save() -> [PlatformState.PIC] { [first.save(), second.save()] }

  /// Takes the registers over; fields out of range are brought into it.
  public func restore(_ states: [PlatformState.PIC]) throws(RestoreError) {
    guard states.count == 2 else {
      throw RestoreError("the state of the 8259 pair is damaged: it has \(states.count) chips")
    }
    first.restore(states[0])
    second.restore(states[1])
    update()
  }
}
