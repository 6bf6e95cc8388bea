// SPDX-License-Identifier: GPL-2.0-or-later

import CPU
import GuestMemory

/// Everything that a CPU's page tables map (SDM volume 3, chapter 4), in the order of linear addresses.
///
/// The tables are the guest's: one that points to itself maps the same again and again, so a walk looks at a limited
/// number of tables.
public struct PageTableWalk {
  /// A page and how it is mapped.
  public struct Page: Sendable, Equatable {
    /// A canonical address.
    public let linear: UInt64
    public let physical: UInt64
    public let byteCount: UInt64
    /// The last entry's bits as they are in the table: flags below bit 12, execute-disable at 63.
    public let entry: UInt64
    /// Whether all entries on the way allow accesses from user mode, or writes.
    public let allowsUser: Bool
    public let allowsWrites: Bool
  }

  /// What a page table can look like.
  public enum Mode: Sendable, Equatable {
    case none
    case bits32
    case pae
    case levels4
    case levels5
  }

  /// 64 GiB in 4 KiB pages, and what is above.
  static let mostTables = 40_000

  public let mode: Mode
  private let cr3: UInt64
  private let hasLargePages: Bool
  private let memory: GuestMemory
  private var tablesLeft: Int

  init(_ cpu: CPUState, memory: GuestMemory, mostTables: Int = PageTableWalk.mostTables) {
    tablesLeft = mostTables
    self.memory = memory
    cr3 = cpu.cr3
    hasLargePages = cpu.cr4 & 1 << 4 != 0
    if cpu.cr0 & 1 << 31 == 0 {
      mode = .none
    } else if cpu.efer & 1 << 10 != 0 {
      mode = cpu.cr4 & 1 << 12 != 0 ? .levels5 : .levels4
    } else {
      mode = cpu.cr4 & 1 << 5 != 0 ? .pae : .bits32
    }
  }

  private static let frame: UInt64 = 0x000F_FFFF_FFFF_F000
  private static let (present, writable, user): (UInt64, UInt64, UInt64) = (1, 2, 4)

  /// Tells `body` of each page.
  /// - Returns: false if there are more tables than a walk looks at.
  public mutating func run<Failure: Error>(_ body: (Page) throws(Failure) -> Void) throws(Failure) -> Bool {
    switch mode {
    case .none: break
    case .bits32: try walk32(body)
    case .pae:
      for index in 0..<UInt64(4) {
        guard let entry: UInt64 = memory.load(GuestAddress(cr3 & 0xFFFF_FFE0 + index * 8)), entry & 1 != 0
        else { continue }
        // The pointers have no flags of access.
        try walk(
          entry & Self.frame, shift: 21, linear: index << 30, allowed: Self.user | Self.writable, body)
      }
    case .levels4:
      try walk(cr3 & Self.frame, shift: 39, linear: 0, allowed: Self.user | Self.writable, body)
    case .levels5:
      try walk(cr3 & Self.frame, shift: 48, linear: 0, allowed: Self.user | Self.writable, body)
    }
    return tablesLeft > 0
  }

  private mutating func walk<Failure: Error>(
    _ table: UInt64, shift: UInt64, linear: UInt64, allowed: UInt64, _ body: (Page) throws(Failure) -> Void
  ) throws(Failure) {
    for index in 0..<UInt64(512) {
      guard tablesLeft > 0 else { return }
      guard let entry: UInt64 = memory.load(GuestAddress(table + index * 8)), entry & Self.present != 0 else {
        continue
      }
      var address = linear | index << shift
      if mode == .levels4 && shift == 39 && index >= 256 { address |= 0xFFFF_0000_0000_0000 }
      if mode == .levels5 && shift == 48 && index >= 256 { address |= 0xFE00_0000_0000_0000 }
      let allowed = allowed & entry
      if shift == 12 || shift <= 30 && entry & 1 << 7 != 0 {
        let mask = UInt64(1) << shift - 1
        try body(
          Page(
            linear: address, physical: entry & Self.frame & ~mask, byteCount: mask + 1, entry: entry,
            allowsUser: allowed & Self.user != 0, allowsWrites: allowed & Self.writable != 0))
      } else {
        tablesLeft -= 1
        try walk(entry & Self.frame, shift: shift - 9, linear: address, allowed: allowed, body)
      }
    }
  }

  private func walk32<Failure: Error>(_ body: (Page) throws(Failure) -> Void) throws(Failure) {
    for index in 0..<UInt64(1024) {
      let address = cr3 & 0xFFFF_F000 + index * 4
      guard let entry: UInt32 = memory.load(GuestAddress(address)), entry & 1 != 0 else { continue }
      let directory = UInt64(entry)
      if hasLargePages, directory & 1 << 7 != 0 {
        let physical = directory & 0xFFC0_0000 | (directory >> 13 & 0xFF) << 32
        try body(page(index << 22, physical, 4 << 20, directory, allowed: directory))
        continue
      }
      for second in 0..<UInt64(1024) {
        let address = directory & 0xFFFF_F000 + second * 4
        guard let entry: UInt32 = memory.load(GuestAddress(address)), entry & 1 != 0 else { continue }
        let table = UInt64(entry)
        try body(
          page(index << 22 | second << 12, table & 0xFFFF_F000, 4096, table, allowed: directory & table))
      }
    }
  }

  private func page(
    _ linear: UInt64, _ physical: UInt64, _ byteCount: UInt64, _ entry: UInt64, allowed: UInt64
  ) -> Page {
    Page(
      linear: linear, physical: physical, byteCount: byteCount, entry: entry,
      allowsUser: allowed & Self.user != 0, allowsWrites: allowed & Self.writable != 0)
  }
}

extension Machine {
  /// A walk through the page tables that a CPU uses now.
  public func pageTableWalk(onCPU index: Int) throws(MachineError) -> PageTableWalk {
    PageTableWalk(try registers(ofCPU: index), memory: board.memory.memory)
  }
}
