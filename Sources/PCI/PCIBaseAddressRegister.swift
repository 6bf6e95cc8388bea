// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory

/// One base address register of a function, or its expansion ROM register: what it shows, and where
/// (PCI 3.0, section 6.2.5).
final class PCIBaseAddressRegister {
  enum Target {
    case ports(AddressWindow)
    case memory(MemoryRegion)
  }

  /// The offset in configuration space.
  let offset: Int
  /// The size decoded, a power of two.
  let byteCount: UInt64
  let target: Target
  /// The read-only low bits: kind and prefetchability.
  let typeBits: UInt32
  let is64Bit: Bool
  let isROM: Bool
  /// Where it is mapped now, if it is.
  var mappedBase: UInt64?

  init(
    offset: Int, byteCount: UInt64, target: Target, typeBits: UInt32, is64Bit: Bool = false,
    isROM: Bool = false
  ) {
    self.offset = offset
    self.byteCount = byteCount
    self.target = target
    self.typeBits = typeBits
    self.is64Bit = is64Bit
    self.isROM = isROM
  }

  /// The writable bits of the low register.
  var lowMask: UInt32 { UInt32(truncatingIfNeeded: ~(byteCount - 1)) | (isROM ? 1 : 0) }
  /// The writable bits of the high register of a 64-bit one.
  var highMask: UInt32 { UInt32(truncatingIfNeeded: ~(byteCount - 1) >> 32) }
}
