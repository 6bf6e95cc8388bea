// SPDX-License-Identifier: GPL-2.0-or-later

/// The model-specific registers: `IA32_APIC_BASE`, the TSC deadline, and the registers in x2APIC mode.
extension LocalAPIC {
  public func readMSR(_ number: UInt32) -> UInt64? {
    switch number {
    case 0x1B: return base
    case 0x6E0: return timerMode == 2 ? deadline : 0
    case 0x800...0x83F where isExtended:
      let offset = Int(number - 0x800) * 16
      switch offset {
      case Register.commandLow:
        return UInt64(self[Register.commandHigh]) << 32 | UInt64(self[Register.commandLow])
      case Register.logicalDestination: return UInt64((initialID >> 4) << 16 | 1 << (initialID & 15))
      case Register.destinationFormat, Register.commandHigh, Register.arbitrationPriority,
        Register.selfInterrupt, Register.endOfInterrupt, Register.remoteRead:
        return nil
      case Register.id, Register.version, Register.taskPriority, Register.processorPriority,
        Register.spurious,
        Register.inService..<Register.errorStatus + 0x10, Register.timer...Register.currentCount,
        Register.divide:
        return UInt64(readRegister(offset))
      default: return nil
      }
    default: return nil
    }
  }

  public func writeMSR(_ number: UInt32, _ value: UInt64) -> Bool {
    switch number {
    case 0x1B: return writeBase(value)
    case 0x6E0:
      guard timerMode == 2 else { return true }
      deadline = value
      scheduleTimer()
      return true
    case 0x800...0x83F where isExtended:
      let offset = Int(number - 0x800) * 16
      switch offset {
      case Register.commandLow:
        self[Register.commandLow] = UInt32(truncatingIfNeeded: value) & ~(1 << 12)
        self[Register.commandHigh] = UInt32(truncatingIfNeeded: value >> 32)
        sendCommand(UInt32(truncatingIfNeeded: value), destination: UInt32(truncatingIfNeeded: value >> 32))
      case Register.selfInterrupt:
        guard value <= 0xFF else { return false }
        if value < 16 { note(error: 1 << 5) }
        request(UInt8(truncatingIfNeeded: value), isLevel: false)
      case Register.endOfInterrupt, Register.errorStatus:
        guard value == 0 else { return false }
        writeRegister(offset, 0)
      case Register.taskPriority:
        guard value <= 0xFF else { return false }
        writeRegister(offset, UInt32(truncatingIfNeeded: value))
      case Register.spurious, Register.timer...Register.initialCount, Register.divide:
        guard value >> 32 == 0 else { return false }
        writeRegister(offset, UInt32(truncatingIfNeeded: value))
      default: return false
      }
      return true
    default: return false
    }
  }

  private func writeBase(_ value: UInt64) -> Bool {
    guard value & ~Self.baseWritable == 0 else { return false }
    let (enable, extended) = (value & Self.baseEnable != 0, value & Self.baseExtended != 0)
    // x2APIC mode is entered from xAPIC mode and left only by disabling (SDM volume 3, section 10.12.5).
    if extended, !enable || !isEnabled { return false }
    if isExtended, enable, !extended { return false }
    let (wasEnabled, wasExtended) = (isEnabled, isExtended)
    base = value
    if wasEnabled, !enable { resetRegisters() }
    if extended, !wasExtended { self[Register.id] = initialID }
    update()
    return true
  }
}
