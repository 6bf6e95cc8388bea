// SPDX-License-Identifier: GPL-2.0-or-later

import CPU
import GuestMemory

/// Where a linear address is in physical memory, by the page tables a CPU uses (SDM volume 3, chapter 4): for people
/// who look at a guest's memory, so nothing is checked but presence, and no bit is set.
struct LinearTranslation {
  private let cr0: UInt64
  private let cr3: UInt64
  private let cr4: UInt64
  private let isLongMode: Bool
  private let memory: GuestMemory

  init(_ cpu: CPUState, memory: GuestMemory) {
    (cr0, cr3, cr4) = (cpu.cr0, cpu.cr3, cpu.cr4)
    isLongMode = cpu.efer & 1 << 10 != 0
    self.memory = memory
  }

  private static let present: UInt64 = 1
  private static let largePage: UInt64 = 1 << 7
  private static let frame: UInt64 = 0x000F_FFFF_FFFF_F000

  /// The physical address; nil if nothing is mapped there.
  func physical(_ linear: UInt64) -> UInt64? {
    guard cr0 & 1 << 31 != 0 else { return linear & 0xFFFF_FFFF }
    if isLongMode { return walk(linear, from: cr3 & Self.frame, firstShift: cr4 & 1 << 12 != 0 ? 48 : 39) }
    let linear = linear & 0xFFFF_FFFF
    return cr4 & 1 << 5 != 0 ? walkPAE(linear) : walk32(linear)
  }

  /// Tables of 512 eight-byte entries, down to 4 KiB pages.
  private func walk(_ linear: UInt64, from table: UInt64, firstShift: UInt64) -> UInt64? {
    var table = table
    var shift = firstShift
    while true {
      let index = linear >> shift & 0x1FF
      guard let entry: UInt64 = memory.load(GuestAddress(table + index * 8)), entry & Self.present != 0 else {
        return nil
      }
      if shift == 12 || entry & Self.largePage != 0 && shift <= 30 {
        let mask = UInt64(1) << shift - 1
        return entry & Self.frame & ~mask | linear & mask
      }
      table = entry & Self.frame
      shift -= 9
    }
  }

  private func walkPAE(_ linear: UInt64) -> UInt64? {
    let pointer = cr3 & 0xFFFF_FFE0 + (linear >> 30) * 8
    guard let entry: UInt64 = memory.load(GuestAddress(pointer)), entry & Self.present != 0 else {
      return nil
    }
    return walk(linear, from: entry & Self.frame, firstShift: 21)
  }

  private func walk32(_ linear: UInt64) -> UInt64? {
    let directory = cr3 & 0xFFFF_F000 + (linear >> 22) * 4
    guard let entry: UInt32 = memory.load(GuestAddress(directory)), entry & 1 != 0 else { return nil }
    if entry & 1 << 7 != 0, cr4 & 1 << 4 != 0 {
      let high = UInt64(entry >> 13 & 0xFF) << 32
      return high | UInt64(entry & 0xFFC0_0000) | linear & 0x3F_FFFF
    }
    let table = UInt64(entry & 0xFFFF_F000) + (linear >> 12 & 0x3FF) * 4
    guard let page: UInt32 = memory.load(GuestAddress(table)), page & 1 != 0 else { return nil }
    return UInt64(page & 0xFFFF_F000) | linear & 0xFFF
  }
}
