// SPDX-License-Identifier: GPL-2.0-or-later

/// PAE paging's table of four page directory pointers, which the processor reads when CR3 is loaded and keeps in
/// registers (SDM volume 3, section 4.4.1).
extension UnsafeMutablePointer<Processor> {
  /// Bits of a pointer that must be 0 if it is present (SDM volume 3, table 4-8).
  private static var reserved: UInt64 {
    0x1E6 | PageEntry.beyondAddress | PageEntry.ignored | PageEntry.noExecute
  }

  var usesPAEPaging: Bool {
    pointee.cr0 & ControlRegister0.paging != 0
      && pointee.cr4 & ControlRegister4.physicalAddressExtension != 0 && !isLongModeActive
  }

  /// The pointers in memory.
  func readPageDirectoryPointers(from cr3: UInt64) -> InlineArray<4, UInt64> {
    InlineArray { readPhysical((cr3 & 0xFFFF_FFE0) + UInt64($0) * 8) }
  }

  /// Loads the pointers; false, with #GP recorded and nothing changed, if a reserved bit of them is set.
  func loadPageDirectoryPointers(from cr3: UInt64) -> Bool {
    let pointers = readPageDirectoryPointers(from: cr3)
    for number in 0..<4
    where pointers[number] & PageEntry.present != 0 && pointers[number] & Self.reserved != 0 {
      return raise(.generalProtection)
    }
    pointee.pageDirectoryPointers = pointers
    return true
  }
}
