// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU

/// The page of the bootstrap processor's local APIC (Intel SDM volume 3, section 11.4.1), as accesses that come from no
/// processor find it: at its address after reset, while it is switched on.
final class LocalAPICWindow: AddressWindow {
  static let base: UInt64 = 0xFEE0_0000
  private let localAPIC: any LocalInterruptController

  init(_ localAPIC: any LocalInterruptController) {
    self.localAPIC = localAPIC
    super.init(name: "local-apic", count: 0x1000, narrowest: .dword, widest: .dword)
  }

  private var isSeen: Bool { localAPIC.registerPage == Self.base }

  override func read(_ offset: UInt64, _ width: AccessWidth) -> UInt64 {
    isSeen ? UInt64(localAPIC.readRegister(Int(truncatingIfNeeded: offset))) : width.allOnes
  }

  override func write(_ offset: UInt64, _ value: UInt64, _ width: AccessWidth) {
    guard isSeen else { return }
    localAPIC.writeRegister(Int(truncatingIfNeeded: offset), UInt32(truncatingIfNeeded: value))
  }
}
