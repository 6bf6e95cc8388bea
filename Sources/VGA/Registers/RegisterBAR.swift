// SPDX-License-Identifier: GPL-2.0-or-later

import Bus

/// BAR 2: the EDID, and all registers in memory (QEMU, docs/specs/standard-vga).
extension VGADevice {
  enum RegisterBAR {
    static let byteCount: UInt64 = 4096
    static let edid = 0x000..<0x400
    /// Ports 0x3C0 … 0x3DF.
    static let ports = 0x400..<0x420
    static let displayInterface = 0x500..<0x516
    /// The bytes of the registers from here on that are there.
    static let size = 0x600..<0x604
    static let byteOrder = 0x604..<0x608
    static let bigEndian: UInt32 = 0xBEBE_BEBE
    static let littleEndian: UInt32 = 0x1E1E_1E1E
  }

  func readRegisters(_ offset: Int, _ width: AccessWidth) -> UInt64 {
    var value: UInt64 = 0
    for index in 0..<width.count { value |= UInt64(readRegisterByte(offset + index)) << UInt64(index * 8) }
    return value
  }

  private func readRegisterByte(_ offset: Int) -> UInt8 {
    switch offset {
    case RegisterBAR.edid: return offset < edid.count ? edid[offset] : 0
    case RegisterBAR.ports: return readPort(VGAPort.attribute + offset - RegisterBAR.ports.lowerBound)
    case RegisterBAR.displayInterface:
      let value = readDisplayInterface((offset - RegisterBAR.displayInterface.lowerBound) / 2)
      return UInt8(truncatingIfNeeded: value >> UInt16((offset & 1) * 8))
    case RegisterBAR.size: return offset == RegisterBAR.size.lowerBound ? 8 : 0
    case RegisterBAR.byteOrder:
      return UInt8(
        truncatingIfNeeded: registers.isBigEndian ? RegisterBAR.bigEndian : RegisterBAR.littleEndian)
    default: return 0
    }
  }

  func writeRegisters(_ offset: Int, _ value: UInt64, _ width: AccessWidth) {
    switch offset {
    case RegisterBAR.ports:
      for index in 0..<width.count where RegisterBAR.ports.contains(offset + index) {
        writePort(
          VGAPort.attribute + offset + index - RegisterBAR.ports.lowerBound,
          UInt8(truncatingIfNeeded: value >> UInt64(index * 8)))
      }
    case RegisterBAR.displayInterface:
      // The display interface's registers are written whole: 16 bits, aligned.
      guard width >= .word, offset & 1 == 0 else { return }
      for index in 0..<(width.count / 2) {
        writeDisplayInterface(
          (offset - RegisterBAR.displayInterface.lowerBound) / 2 + index,
          UInt16(truncatingIfNeeded: value >> UInt64(index * 16)))
      }
    case RegisterBAR.byteOrder.lowerBound where width == .dword:
      switch UInt32(truncatingIfNeeded: value) {
      case RegisterBAR.bigEndian: registers.isBigEndian = true
      case RegisterBAR.littleEndian: registers.isBigEndian = false
      default: break
      }
    default: break
    }
  }
}
