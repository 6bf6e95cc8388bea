// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory

/// Accesses that miss the TLB: page walks, accesses across pages, registers of devices, first stores to
/// pages that are watched.
extension UnsafeMutablePointer<Processor> {
  /// The bits of linear addresses that code uses: 32 outside 64-bit code.
  private var codeMask: UInt64 { pointee.mode.isLong ? ~0 : 0xFFFF_FFFF }

  /// The bits of the processor's own linear addresses: 32 outside long mode.
  private var systemMask: UInt64 { isLongModeActive ? ~0 : 0xFFFF_FFFF }

  /// Whose rights the code at hand has.
  var accessKind: TLB.Kind {
    if pointee.cpl == 3 { return .user }
    return pointee.cr4 & ControlRegister4.supervisorAccessPrevention != 0
      && pointee.systemFlags & Flag.alignmentCheck == 0 ? .supervisorAccessPrevention : .supervisor
  }

  /// Whose rights the processor's own accesses to descriptor tables and the like have.
  private var implicitKind: TLB.Kind {
    pointee.cr4 & ControlRegister4.supervisorAccessPrevention != 0 ? .supervisorAccessPrevention : .supervisor
  }

  /// Reads `count` (1 … 8) bytes into ``Processor/transfer``.
  @inline(never)
  func loadSlow(_ linear: UInt64, _ count: Int) -> Bool {
    guard isInside(linear, count) else { return false }
    guard isAligned(linear, count) else { return raise(.alignmentCheck) }
    return load(linear, count, .read, accessKind, codeMask)
  }

  /// Reads `count` (1 … 8) bytes into ``Processor/transfer``, sure that ``storeSlow(_:_:_:)`` at the same place
  /// does not fault.
  @inline(never)
  func loadForWriteSlow(_ linear: UInt64, _ count: Int) -> Bool {
    guard isInside(linear, count) else { return false }
    guard isAligned(linear, count) else { return raise(.alignmentCheck) }
    return load(linear, count, .write, accessKind, codeMask)
  }

  /// Writes `count` (1 … 8) bytes.
  @inline(never)
  func storeSlow(_ linear: UInt64, _ value: UInt64, _ count: Int) -> Bool {
    guard isInside(linear, count) else { return false }
    guard isAligned(linear, count) else { return raise(.alignmentCheck) }
    return store(linear, value, count, accessKind, codeMask)
  }

  /// Whether `count` bytes from a linear address on could be written; the exception is recorded if not.
  /// - Parameter inPieces: the instruction writes a piece after the other: a missing page at the beginning comes before
  ///   an end that is outside.
  func probeWrite(_ linear: UInt64, _ count: Int, inPieces: Bool = false) -> Bool {
    guard isInside(linear, inPieces ? 1 : count) else { return false }
    let (first, last) = (linear & codeMask, linear &+ UInt64(count - 1) & codeMask)
    guard translateAndFill(first, .write, accessKind) != nil else { return false }
    if inPieces, !isInside(linear, count) { return false }
    return last & ~0xFFF == first & ~0xFFF || translateAndFill(last & ~0xFFF, .write, accessKind) != nil
  }

  /// Reads for the processor itself: descriptor tables, task state.
  func loadSystem<T: Width>(_ linear: UInt64, as type: T.Type = T.self) -> T? {
    load(linear, T.byteCount, .read, implicitKind, systemMask)
      ? T(truncatingIfNeeded: pointee.transfer) : nil
  }

  /// Writes for the processor itself.
  func storeSystem<T: Width>(_ linear: UInt64, _ value: T) -> Bool {
    store(linear, UInt64(truncatingIfNeeded: value), T.byteCount, implicitKind, systemMask)
  }

  /// Whether an operand is at canonical addresses and, outside 64-bit code, does not run over the end of a flat
  /// segment. The manual leaves the latter to implementations when the limit is 4 GiB (SDM volume 3, section 5.3):
  /// this is what processors do. Where a segment that is not flat wraps around, ``checkedLinear(_:_:count:_:)``
  /// gives an address below 0.
  func isInside(_ linear: UInt64, _ count: Int) -> Bool {
    let last = linear &+ UInt64(count - 1)
    let isInside: Bool
    if pointee.mode.isLong {
      let tops = (Int64(bitPattern: linear) >> 47, Int64(bitPattern: last) >> 47)
      isInside = (tops.0 == 0 || tops.0 == -1) && (tops.1 == 0 || tops.1 == -1)
    } else {
      isInside = last >> 32 == 0 || linear >> 63 != 0
    }
    if isInside { return true }
    pointee.isOutside = true
    return raise(.generalProtection)
  }

  /// #AC: CR0.AM, RFLAGS.AC and CPL 3 (SDM volume 3, section 6.15).
  private func isAligned(_ linear: UInt64, _ count: Int) -> Bool {
    linear & UInt64(count - 1) == 0 || pointee.cpl != 3
      || pointee.systemFlags & Flag.alignmentCheck == 0 || pointee.cr0 & ControlRegister0.alignmentMask == 0
  }

  private func load(
    _ linear: UInt64, _ count: Int, _ access: MemoryAccess, _ kind: TLB.Kind, _ mask: UInt64
  ) -> Bool {
    let linear = linear & mask
    noteDataBreakpoint(linear, count, access)
    let onFirstPage = Int(0x1000 - (linear & 0xFFF))
    guard let first = translateAndFill(linear, access, kind) else { return false }
    if count <= onFirstPage {
      pointee.transfer = readPhysical(first, count)
      return true
    }
    guard let second = translateAndFill(linear &+ UInt64(onFirstPage) & mask, access, kind) else {
      return false
    }
    pointee.transfer =
      readPhysical(first, onFirstPage) | readPhysical(second, count - onFirstPage) << UInt64(onFirstPage * 8)
    return true
  }

  private func store(
    _ linear: UInt64, _ value: UInt64, _ count: Int, _ kind: TLB.Kind, _ mask: UInt64
  ) -> Bool {
    let linear = linear & mask
    noteDataBreakpoint(linear, count, .write)
    let onFirstPage = Int(0x1000 - (linear & 0xFFF))
    guard let first = translateAndFill(linear, .write, kind) else { return false }
    if count <= onFirstPage {
      writePhysical(first, value, count)
      return true
    }
    guard let second = translateAndFill(linear &+ UInt64(onFirstPage) & mask, .write, kind) else {
      return false
    }
    writePhysical(first, value, onFirstPage)
    writePhysical(second, value >> UInt64(onFirstPage * 8), count - onFirstPage)
    return true
  }

  /// Translates, and lets further accesses to the page go straight to host memory if they may.
  private func translateAndFill(_ linear: UInt64, _ access: MemoryAccess, _ kind: TLB.Kind) -> UInt64? {
    guard let translation = translate(linear, access, kind) else { return nil }
    let page = linear & ~0xFFF
    guard !isChecked, !isLocalAPIC(translation.physical),
      let (host, range) = pointee.machine._withUnsafeGuaranteedRef({ $0.physical.page(translation.physical) })
    else { return translation.physical }
    let set = pointee.owner._withUnsafeGuaranteedRef { $0.translations }
    let entry = set.data.entryToFill(kind, linear)
    if entry.pointee.page & ~0xFFF != page { entry.pointee = TLBEntry() }
    entry.pointee.page = page | (translation.mask == ~0xFFF ? 0 : translation.mask == ~0x3FFF_FFFF ? 2 : 1)
    entry.pointee.addend = Int(bitPattern: host) &- Int(truncatingIfNeeded: page)
    entry.pointee.readTag = page
    entry.pointee.writeTag = TLBEntry.invalidTag
    if translation.allowsWrite, access == .write, range.pointee.isWritable, let pages = range.pointee.pages {
      let index = range.pointee.firstPage + Int((translation.physical & ~0xFFF) &- range.pointee.base) >> 12
      pages._withUnsafeGuaranteedRef { pages in
        pages.written[index] = 1
        if pages.code[index] == nil { entry.pointee.writeTag = page }
      }
    }
    return translation.physical
  }

  /// Whether each access is to be looked at: alignment checks, data breakpoints.
  var isChecked: Bool {
    pointee.owner._withUnsafeGuaranteedRef {
      $0.hasDataBreakpoints
        || $0.checksAlignment && pointee.cpl == 3 && pointee.systemFlags & Flag.alignmentCheck != 0
    }
  }

  // MARK: Physical memory

  /// A value of the processor's own structures.
  func readPhysical<T: Width>(_ physical: UInt64) -> T {
    T(truncatingIfNeeded: readPhysical(physical, T.byteCount))
  }

  /// Changes a value of the processor's own structures.
  func writePhysical<T: Width>(_ physical: UInt64, _ value: T) {
    writePhysical(physical, UInt64(truncatingIfNeeded: value), T.byteCount)
  }

  /// Reads `count` bytes that do not cross a page.
  private func readPhysical(_ physical: UInt64, _ count: Int) -> UInt64 {
    pointee.machine._withUnsafeGuaranteedRef { machine in
      if let (host, _) = machine.physical.page(physical), !isLocalAPIC(physical) {
        var value: UInt64 = 0
        withUnsafeMutableBytes(of: &value) {
          $0.copyMemory(
            from: UnsafeRawBufferPointer(start: host + Int(physical & 0xFFF), count: count))
        }
        return value
      }
      return readDevice(physical, count)
    }
  }

  /// Writes `count` bytes that do not cross a page.
  private func writePhysical(_ physical: UInt64, _ value: UInt64, _ count: Int) {
    pointee.machine._withUnsafeGuaranteedRef { machine in
      guard !isLocalAPIC(physical), let (host, range) = machine.physical.page(physical),
        range.pointee.isWritable, let pages = range.pointee.pages
      else { return writeDevice(physical, value, count) }
      let offset = Int(physical & 0xFFF)
      let index = range.pointee.firstPage + Int((physical & ~0xFFF) &- range.pointee.base) >> 12
      pages._withUnsafeGuaranteedRef { pages in
        pages.written[index] = 1
        if pages.code[index] != nil { machine.codeChanged(pages.code + index, offset: offset, count: count) }
      }
      withUnsafeBytes(of: value) { (host + offset).copyMemory(from: $0.baseAddress!, byteCount: count) }
    }
  }

  /// Whether an address is on the local APIC's page.
  private func isLocalAPIC(_ physical: UInt64) -> Bool {
    pointee.owner._withUnsafeGuaranteedRef { $0.isLocalAPIC(physical) }
  }

  /// Reads what is no RAM, with the machine's lock.
  private func readDevice(_ physical: UInt64, _ count: Int) -> UInt64 {
    pointee.owner._withUnsafeGuaranteedRef { owner in
      if let width = AccessWidth(rawValue: UInt8(count)) { return owner.readDevice(physical, width) }
      var value: UInt64 = 0
      for index in 0..<count {
        value |= owner.readDevice(physical &+ UInt64(index), .byte) << UInt64(index * 8)
      }
      return value
    }
  }

  /// Writes to what is no writable RAM, with the machine's lock.
  private func writeDevice(_ physical: UInt64, _ value: UInt64, _ count: Int) {
    pointee.owner._withUnsafeGuaranteedRef { owner in
      if let width = AccessWidth(rawValue: UInt8(count)) { return owner.writeDevice(physical, value, width) }
      for index in 0..<count {
        owner.writeDevice(physical &+ UInt64(index), value >> UInt64(index * 8), .byte)
      }
    }
  }
}
