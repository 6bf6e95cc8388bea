// SPDX-License-Identifier: GPL-2.0-or-later

/// Breakpoints (SDM volume 3, chapter 17).
extension UnsafeMutablePointer<Processor> {
  /// Whether DR7 enables a breakpoint of the given kinds (0 execution, 1 write, 2 ports, 3 read or write).
  private func hasBreakpoint(_ isKind: (UInt64) -> Bool) -> Bool {
    let dr7 = pointee.debug[5]
    guard dr7 & 0xFF != 0 else { return false }
    for number in 0..<4 as Range<UInt64> where dr7 >> (number * 2) & 3 != 0 {
      if isKind(dr7 >> (16 + number * 4) & 3) { return true }
    }
    return false
  }

  /// Instruction breakpoints are on.
  var hasInstructionBreakpoints: Bool { hasBreakpoint { $0 == 0 } }

  /// Recomputes whether each data access must be looked at.
  func updateChecks() {
    let hasPorts = pointee.cr4 & ControlRegister4.debuggingExtensions != 0
    let hasData = hasBreakpoint { $0 & 1 != 0 || $0 == 2 && hasPorts }
    let hasCode = hasInstructionBreakpoints
    pointee.owner._withUnsafeGuaranteedRef { owner in
      owner.hasDataBreakpoints = hasData
      owner.hasInstructionBreakpoints = hasCode
      owner.checksAlignment = pointee.cr0 & ControlRegister0.alignmentMask != 0
    }
    updateTranslations()
  }

  /// Notes in DR6 a data breakpoint that an access hits; #DB follows the instruction.
  func noteDataBreakpoint(_ linear: UInt64, _ count: Int, _ access: MemoryAccess) {
    guard pointee.owner._withUnsafeGuaranteedRef({ $0.hasDataBreakpoints }) else { return }
    let dr7 = pointee.debug[5]
    for number in 0..<4 as Range<UInt64> where dr7 >> (number * 2) & 3 != 0 {
      let control = dr7 >> (16 + number * 4)
      guard control & 3 == 3 || control & 3 == 1 && access == .write else { continue }
      noteHit(number, control, linear, count)
    }
  }

  /// Notes in DR6 an I/O breakpoint (CR4.DE) that an access to ports hits; #DB follows the instruction.
  func notePortBreakpoint(_ port: UInt16, _ count: Int) {
    guard pointee.owner._withUnsafeGuaranteedRef({ $0.hasDataBreakpoints }),
      pointee.cr4 & ControlRegister4.debuggingExtensions != 0
    else { return }
    let dr7 = pointee.debug[5]
    for number in 0..<4 as Range<UInt64> where dr7 >> (number * 2) & 3 != 0 {
      let control = dr7 >> (16 + number * 4)
      if control & 3 == 2 { noteHit(number, control, UInt64(port), count) }
    }
  }

  /// Notes breakpoint `number` if what it watches and the access overlap.
  private func noteHit(_ number: UInt64, _ control: UInt64, _ address: UInt64, _ count: Int) {
    let length: UInt64 = [1, 2, 8, 4][Int(control >> 2 & 3)]
    let start = pointee.debug[Int(number)] & ~(length - 1)
    guard address < start &+ length, start < address &+ UInt64(count) else { return }
    pointee.debug[4] |= 1 << number
    pointee.owner._withUnsafeGuaranteedRef { $0.hitDataBreakpoint = true }
  }

  /// Whether an instruction breakpoint is at RIP; DR6 tells which.
  func hitsInstructionBreakpoint() -> Bool {
    guard pointee.systemFlags & Flag.resume == 0 else { return false }
    let linear = pointee.codeBase &+ pointee.rip
    let dr7 = pointee.debug[5]
    var isHit = false
    for number in 0..<4 as Range<UInt64> where dr7 >> (number * 2) & 3 != 0 {
      guard dr7 >> (16 + number * 4) & 3 == 0, pointee.debug[Int(number)] == linear else { continue }
      pointee.debug[4] |= 1 << number
      isHit = true
    }
    return isHit
  }
}

/// What the run loop must see to between blocks: bits of ``Processor/attention``.
enum Attention {
  /// ``SoftVirtualCPU/kick()``, or the machine stops.
  static let kick: UInt32 = 1 << 0
  /// An interrupt controller has a deliverable interrupt.
  static let interrupt: UInt32 = 1 << 1
  static let nonMaskable: UInt32 = 1 << 2
  static let initialize: UInt32 = 1 << 3
  static let startup: UInt32 = 1 << 4
  /// The memory map changed, or a device wrote to pages with code, or written pages were collected.
  static let memory: UInt32 = 1 << 5
  /// The next deadline of a clock that follows the instructions changed.
  static let deadline: UInt32 = 1 << 7
}
