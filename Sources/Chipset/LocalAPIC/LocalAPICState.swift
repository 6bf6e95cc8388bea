// SPDX-License-Identifier: GPL-2.0-or-later

/// What is saved: the page of registers as other engines have it.
extension LocalAPIC {
  /// The ID is where it is in xAPIC mode, as other engines have it.
  public var savedRegisters: [UInt32] {
    var saved = (0..<64).map { words[$0] }
    if isExtended { saved[Register.id >> 4] = initialID << 24 }
    saved[Register.currentCount >> 4] = currentCount
    saved[Register.unlatchedErrors >> 4] = errors
    return saved
  }

  public func restore(registers: [UInt32], base: UInt64, deadline: UInt64) {
    guard registers.count == 64 else { return }
    self.base = base & Self.baseWritable
    // x2APIC mode without being on is none.
    if !isEnabled { self.base &= ~Self.baseExtended }
    for index in 0..<64 { words[index] = registers[index] }
    if isExtended { self[Register.id] = initialID }
    self[Register.version] = Self.version
    self.deadline = timerMode == 2 ? deadline : 0
    errors = registers[Register.unlatchedErrors >> 4] & 0xFF
    self[Register.unlatchedErrors] = 0
    startCount(from: registers[Register.currentCount >> 4])
    scheduleTimer()
    update()
    // The processor's own state was replaced, too: it is told in any case.
    processor?.interruptRequestChanged(isRaised: isRequested)
  }
}
