// SPDX-License-Identifier: GPL-2.0-or-later

extension LocalAPIC {
  /// Offsets of registers in the page (SDM volume 3, table 10-1), 16 bytes apart.
  enum Register {
    static let id = 0x20, version = 0x30, taskPriority = 0x80, arbitrationPriority = 0x90
    static let processorPriority = 0xA0, endOfInterrupt = 0xB0, remoteRead = 0xC0, logicalDestination = 0xD0
    static let destinationFormat = 0xE0, spurious = 0xF0, inService = 0x100, triggerMode = 0x180
    static let request = 0x200, errorStatus = 0x280, commandLow = 0x300, commandHigh = 0x310
    static let timer = 0x320, thermal = 0x330, performance = 0x340, lint0 = 0x350, lint1 = 0x360,
      error = 0x370
    static let initialCount = 0x380, currentCount = 0x390, divide = 0x3E0, selfInterrupt = 0x3F0
    /// Reserved; in a saved state, the errors that a write to ESR will show.
    static let unlatchedErrors = 0x290
  }
}
