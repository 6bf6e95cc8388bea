// SPDX-License-Identifier: GPL-2.0-or-later

/// A translated linear address.
struct Translation {
  var physical: UInt64
  /// Whether a store would be allowed and the page's D bit is set already.
  var allowsWrite: Bool
  /// Bits of the linear address the translation holds for.
  var mask: UInt64
}

/// Error code bits of a page fault (SDM volume 3, section 4.7).
enum PageFaultCode {
  static let present: UInt32 = 1
  static let write: UInt32 = 2
  static let user: UInt32 = 4
  static let reserved: UInt32 = 8
  static let fetch: UInt32 = 16
}

/// Bits of paging-structure entries (SDM volume 3, section 4.5, tables 4-14 … 4-20).
enum PageEntry {
  static let present: UInt64 = 1
  static let writable: UInt64 = 2
  static let user: UInt64 = 4
  static let accessed: UInt64 = 32
  static let dirty: UInt64 = 64
  static let large: UInt64 = 128
  static let noExecute: UInt64 = 1 << 63
  /// Physical addresses have 40 bits, as CPUID says.
  static let addressBits = 40
  static let addressMask: UInt64 = ((1 << 40) - 1) & ~0xFFF
  /// Bits that are for software in 4-level paging.
  static let ignored: UInt64 = 0x7FF << 52
  /// Address bits that must be 0.
  static let beyondAddress: UInt64 = 0x000F_FFFF_FFFF_F000 & ~addressMask
}

extension UnsafeMutablePointer<Processor> {
  /// Translates a linear address by the page tables (SDM volume 3, chapter 4) and sets their accessed and
  /// dirty bits; nil with #PF recorded.
  /// - Parameter kind: whose rights apply; `.checked` is no kind of its own here.
  func translate(_ linear: UInt64, _ access: MemoryAccess, _ kind: TLB.Kind) -> Translation? {
    guard pointee.cr0 & ControlRegister0.paging != 0 else {
      return Translation(physical: linear & 0xFFFF_FFFF, allowsWrite: true, mask: ~0xFFF)
    }
    let isPAE = pointee.cr4 & ControlRegister4.physicalAddressExtension != 0
    let isLong = pointee.efer & ExtendedFeature.longModeActive != 0
    if isLong {
      let top = Int64(bitPattern: linear) >> 47
      guard top == 0 || top == -1 else {
        raise(.generalProtection)
        return nil
      }
    }
    var walk = PageWalk(
      cpu: self, linear: linear, access: access, kind: kind,
      allowsNoExecute: isPAE && pointee.efer & ExtendedFeature.noExecute != 0)
    let found = isLong ? walk.walk4Level() : isPAE ? walk.walkPAE() : walk.walk32(from: pointee.cr3)
    guard found else {
      pageFault(linear, walk.fault, access, kind)
      return nil
    }
    return Translation(physical: walk.physical, allowsWrite: walk.allowsWrite, mask: walk.mask)
  }

  private func pageFault(_ linear: UInt64, _ code: UInt32, _ access: MemoryAccess, _ kind: TLB.Kind) {
    var code = code
    if access == .write { code |= PageFaultCode.write }
    if kind == .user { code |= PageFaultCode.user }
    if access == .execute
      && (pointee.cr4 & ControlRegister4.supervisorExecutionPrevention != 0
        || pointee.efer & ExtendedFeature.noExecute != 0
          && pointee.cr4 & ControlRegister4.physicalAddressExtension != 0)
    {
      code |= PageFaultCode.fetch
    }
    pointee.cr2 = linear
    raise(.pageFault, code)
  }
}

/// One walk through the paging structures.
private struct PageWalk {
  let cpu: CPU
  let linear: UInt64
  let access: MemoryAccess
  let kind: TLB.Kind
  let allowsNoExecute: Bool

  var physical: UInt64 = 0
  var allowsWrite = false
  var mask: UInt64 = ~0xFFF
  /// The error code, but for what the access is.
  var fault: UInt32 = 0

  /// Rights so far: writable, user, and not executable.
  private var rights = PageEntry.writable | PageEntry.user

  init(cpu: CPU, linear: UInt64, access: MemoryAccess, kind: TLB.Kind, allowsNoExecute: Bool) {
    (self.cpu, self.linear, self.access, self.kind, self.allowsNoExecute) = (
      cpu, linear, access, kind, allowsNoExecute
    )
  }

  /// 4-level paging.
  mutating func walk4Level() -> Bool {
    walk(levels: 4, from: cpu.pointee.cr3 & PageEntry.addressMask, reserved: 0)
  }

  /// PAE paging: the pointers were read, and checked, when CR3 was loaded.
  mutating func walkPAE() -> Bool {
    let pointer = cpu.pointee.pageDirectoryPointers[Int(linear >> 30 & 3)]
    guard pointer & PageEntry.present != 0 else { return false }
    // What 4-level paging ignores is reserved without it (SDM volume 3, tables 4-10 and 4-11).
    return walk(levels: 2, from: pointer & PageEntry.addressMask, reserved: PageEntry.ignored)
  }

  /// Walks through tables with entries of 8 bytes.
  private mutating func walk(levels: Int, from first: UInt64, reserved alwaysReserved: UInt64) -> Bool {
    var table = first
    var path = (entry0: 0 as UInt64, entry1: 0 as UInt64, entry2: 0 as UInt64)
    var level = levels
    while true {
      let shift = UInt64(12 + (level - 1) * 9)
      let address = table + (linear >> shift & 511) * 8
      let entry: UInt64 = cpu.readPhysical(address)
      guard entry & PageEntry.present != 0 else { return false }
      var reserved = PageEntry.beyondAddress | alwaysReserved
      if !allowsNoExecute { reserved |= PageEntry.noExecute }
      let isLarge = level > 1 && level < 4 && entry & PageEntry.large != 0
      if level == 4 { reserved |= PageEntry.large }
      if isLarge { reserved |= ((1 << shift) - 1) & ~0x1FFF }
      guard entry & reserved == 0 else {
        fault = PageFaultCode.reserved | PageFaultCode.present
        return false
      }
      rights &= entry | PageEntry.noExecute
      rights |= entry & PageEntry.noExecute
      if level == 1 || isLarge {
        let offsetMask: UInt64 = (1 << shift) - 1
        physical = entry & PageEntry.addressMask & ~offsetMask | linear & offsetMask
        if isLarge { mask = ~offsetMask }
        guard isAllowed() else { return false }
        // Accessed bits only once the access is known to be allowed, the leaf's last.
        if path.entry0 != 0 { setAccessed(path.entry0) }
        if path.entry1 != 0 { setAccessed(path.entry1) }
        if path.entry2 != 0 { setAccessed(path.entry2) }
        finish(address, entry)
        return true
      }
      if entry & PageEntry.accessed == 0 { path = (path.entry1, path.entry2, address) }
      table = entry & PageEntry.addressMask
      level -= 1
    }
  }

  /// 32-bit paging: entries of 4 bytes, 4 MiB pages with CR4.PSE (bits 13 … 20 of the entry are bits
  /// 32 … 39 of the address: PSE-36).
  mutating func walk32(from cr3: UInt64) -> Bool {
    let directory = cr3 & 0xFFFF_F000 + (linear >> 22 & 1023) * 4
    let entry = UInt64(cpu.readPhysical(directory) as UInt32)
    guard entry & PageEntry.present != 0 else { return false }
    rights &= entry
    if entry & PageEntry.large != 0, cpu.pointee.cr4 & ControlRegister4.pageSizeExtension != 0 {
      guard entry & 1 << 21 == 0 else {
        fault = PageFaultCode.reserved | PageFaultCode.present
        return false
      }
      physical = entry & 0xFFC0_0000 | (entry >> 13 & 0xFF) << 32 | linear & 0x3F_FFFF
      mask = ~0x3F_FFFF
      guard isAllowed() else { return false }
      finish32(directory, entry)
      return true
    }
    let address = entry & 0xFFFF_F000 + (linear >> 12 & 1023) * 4
    let leaf = UInt64(cpu.readPhysical(address) as UInt32)
    guard leaf & PageEntry.present != 0 else { return false }
    rights &= leaf
    physical = leaf & 0xFFFF_F000 | linear & 0xFFF
    guard isAllowed() else { return false }
    if entry & PageEntry.accessed == 0 {
      cpu.writePhysical(directory, UInt32(truncatingIfNeeded: entry | PageEntry.accessed))
    }
    finish32(address, leaf)
    return true
  }

  /// Whether the access is allowed (SDM volume 3, section 4.6.1).
  private mutating func isAllowed() -> Bool {
    let isUserPage = rights & PageEntry.user != 0
    let isWritablePage = rights & PageEntry.writable != 0
    let allowed: Bool
    switch access {
    case .execute:
      allowed =
        rights & PageEntry.noExecute == 0
        && (kind == .user
          ? isUserPage
          : !isUserPage || cpu.pointee.cr4 & ControlRegister4.supervisorExecutionPrevention == 0)
    case .read, .write:
      let isReachable = kind == .user ? isUserPage : !isUserPage || kind != .supervisorAccessPrevention
      let mayWrite =
        isWritablePage || kind != .user && cpu.pointee.cr0 & ControlRegister0.writeProtect == 0
      allowed = isReachable && (access == .read || mayWrite)
      allowsWrite = isReachable && mayWrite
    }
    if !allowed { fault = PageFaultCode.present }
    return allowed
  }

  private func setAccessed(_ address: UInt64) {
    let entry: UInt64 = cpu.readPhysical(address)
    cpu.writePhysical(address, entry | PageEntry.accessed)
  }

  private mutating func finish(_ address: UInt64, _ entry: UInt64) {
    let wanted = entry | PageEntry.accessed | (access == .write ? PageEntry.dirty : 0)
    if wanted != entry { cpu.writePhysical(address, wanted) }
    allowsWrite = allowsWrite && wanted & PageEntry.dirty != 0
  }

  private mutating func finish32(_ address: UInt64, _ entry: UInt64) {
    let wanted = entry | PageEntry.accessed | (access == .write ? PageEntry.dirty : 0)
    if wanted != entry { cpu.writePhysical(address, UInt32(truncatingIfNeeded: wanted)) }
    allowsWrite = allowsWrite && wanted & PageEntry.dirty != 0
  }
}
