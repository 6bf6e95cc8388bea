// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CKVM
import CPU
import EventLoop
import Glibc
import GuestMemory

/// KVM's memory slots, following the memory map: a slot for each stretch of RAM or ROM, none for device
/// registers. Called with the machine's lock held.
final class KVMMemorySlots: MemoryMapListener, @unchecked Sendable {
  // Unchecked: the machine's lock guards everything, but for what `activation` does until it has been joined.

  private let machine: KVMVirtualMachine
  private let gate: KVMRunGate
  private let limit: Int
  private let hasReadOnlySlots: Bool
  private let hasCoalescing: Bool
  /// By number; nil where a slot is free.
  private var slots: [Slot?] = []
  /// Whether the guest has run, and KVM has the map.
  private var isActive = false
  /// The map until then.
  private var waiting: [FlatRange] = []
  /// What KVM refused.
  private var refusal: EngineError?
  /// The thread that puts the map into KVM ahead of the guest's start.
  private var activation: ServiceThread?

  /// A slot in use.
  private struct Slot {
    let base: UInt64
    let count: UInt64
    let block: RAMBlock
    let blockOffset: Int
    let isReadOnly: Bool
    var isLogging: Bool

    var flags: UInt32 {
      (isReadOnly ? martlet_KVM_MEM_READONLY : 0) | (isLogging ? martlet_KVM_MEM_LOG_DIRTY_PAGES : 0)
    }
    var host: UInt64 { UInt64(UInt(bitPattern: block.hostAddress + blockOffset)) }
  }

  init(machine: KVMVirtualMachine, gate: KVMRunGate) {
    self.machine = machine
    self.gate = gate
    limit = max(32, machine.system.value(of: KVM_CAP_NR_MEMSLOTS))
    hasReadOnlySlots = machine.system.value(of: KVM_CAP_READONLY_MEM) > 0
    hasCoalescing = machine.system.value(of: KVM_CAP_COALESCED_MMIO) > 0
  }

  // MARK: The map

  /// What KVM refused: the guest must not run with half a memory map.
  var failure: EngineError? {
    settle()
    return refusal
  }

  func memoryMapChanged(removed: [FlatRange], added: [FlatRange]) {
    settle()
    guard isActive else {
      waiting.removeAll { removed.contains($0) }
      waiting += added
      return
    }
    apply(removed: removed, added: added)
  }

  /// Puts the map into KVM, once: before the guest first runs. A slot costs up to some milliseconds, and a
  /// board changes its map often while it is being built.
  func activate() {
    settle()
    guard !isActive else { return }
    isActive = true
    apply(removed: [], added: waiting)
    waiting = []
  }

  /// Begins to do that while the caller goes on: the kernel takes 5 ms for the first slot, most of it asleep.
  func activateAhead() {
    guard !isActive else { return }
    activation = try? ServiceThread(name: "kvm-map") { self.apply(removed: [], added: self.waiting) }
    isActive = activation != nil
  }

  /// Waits for the thread of ``activateAhead()``.
  private func settle() {
    guard let activation else { return }
    activation.join()
    self.activation = nil
    waiting = []
  }

  private func apply(removed: [FlatRange], added: [FlatRange]) {
    let doomed = removed.compactMap { Self.slot(for: $0) }
    let fresh = added.compactMap { Self.slot(for: $0) }
    // First, since a change of slots hurries the kernel's clean-up after this along, for which a VM's end would wait 15 ms.
    if hasCoalescing {
      for range in removed { setCoalescing(of: range, false) }
      for range in added { setCoalescing(of: range, true) }
    }
    if doomed.isEmpty || fresh.isEmpty {
      replace(doomed, by: fresh)
    } else {
      gate.whileClosed { replace(doomed, by: fresh) }
    }
  }

  private func replace(_ doomed: [Slot], by fresh: [Slot]) {
    for slot in doomed { remove(slot) }
    for slot in fresh { add(slot) }
  }

  /// The slot that shows the whole pages of a range; nil if there are none, or no memory is behind it. What
  /// is left of a page reaches the bus access by access.
  private static func slot(for range: FlatRange) -> Slot? {
    guard let block = range.block else { return nil }
    let page = UInt64(RAMBlock.pageSize)
    let base = (range.base &+ page - 1) & ~(page - 1)
    let skipped = base &- range.base
    guard skipped < range.count else { return nil }
    let count = (range.count - skipped) & ~(page - 1)
    let blockOffset = range.blockOffset + Int(skipped)
    // The host's pages must line up with the guest's.
    guard count > 0, blockOffset % RAMBlock.pageSize == 0 else { return nil }
    return Slot(
      base: base, count: count, block: block, blockOffset: blockOffset, isReadOnly: range.access == .readOnly,
      isLogging: block.dirty.isTracking)
  }

  private func add(_ slot: Slot) {
    // ROM that KVM cannot protect is left to the bus, access by access.
    if slot.isReadOnly && !hasReadOnlySlots { return }
    let number = slots.firstIndex { $0 == nil } ?? slots.count
    guard number < limit else {
      return fail("KVM has only \(limit) memory slots, and the memory map needs more")
    }
    let code = machine.setMemorySlot(
      UInt32(number), flags: slot.flags, base: slot.base, count: slot.count, host: slot.host)
    guard code == 0 else {
      return fail(
        "KVM refused to map \(slot.count >> 10) KiB of '\(slot.block.name)' at \(GuestAddress(slot.base)): "
          + String(cString: strerror(code)))
    }
    if number == slots.count { slots.append(slot) } else { slots[number] = slot }
  }

  private func remove(_ doomed: Slot) {
    guard let number = slots.firstIndex(where: { $0?.base == doomed.base }), let slot = slots[number] else {
      return
    }
    collect(slot, number: number)
    let code = machine.setMemorySlot(UInt32(number), flags: 0, base: slot.base, count: 0, host: slot.host)
    if code != 0 {
      fail(
        "KVM refused to unmap '\(slot.block.name)' at \(GuestAddress(slot.base)): \(String(cString: strerror(code)))"
      )
    }
    slots[number] = nil
  }

  private func setCoalescing(of range: FlatRange, _ on: Bool) {
    let shown = range.windowOffset..<range.windowOffset &+ range.count
    for late in range.window?.lateWrites ?? [] {
      let part = late.clamped(to: shown)
      guard !part.isEmpty else { continue }
      machine.setCoalescing(
        base: range.base + (part.lowerBound - shown.lowerBound), count: UInt64(part.count), isPort: false, on)
    }
  }

  private func fail(_ message: String) {
    if refusal == nil { refusal = EngineError(message) }
    gate.kickAll()
  }

  // MARK: Dirty pages

  func dirtyTrackingChanged(of block: RAMBlock) {
    settle()
    for (number, slot) in slots.enumerated() {
      guard var slot, slot.block === block, slot.isLogging != block.dirty.isTracking else { continue }
      slot.isLogging = block.dirty.isTracking
      let code = machine.setMemorySlot(
        UInt32(number), flags: slot.flags, base: slot.base, count: slot.count, host: slot.host)
      guard code == 0 else {
        fail("KVM refused to log writes to '\(block.name)': \(String(cString: strerror(code)))")
        continue
      }
      slots[number] = slot
    }
  }

  func collectDirtyPages(of block: RAMBlock) {
    settle()
    for (number, slot) in slots.enumerated() {
      if let slot, slot.block === block { collect(slot, number: number) }
    }
  }

  private func collect(_ slot: Slot, number: Int) {
    guard slot.isLogging, slot.block.dirty.isTracking else { return }
    let pageCount = Int(slot.count) / RAMBlock.pageSize
    let wordCount = (pageCount + 63) / 64
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: wordCount) { log in
      guard let start = log.baseAddress, machine.getDirtyLog(slot: UInt32(number), into: start) else {
        return
      }
      slot.block.dirty.merge(log, atPage: slot.blockOffset / RAMBlock.pageSize)
    }
  }
}

extension DirtyBitmap {
  /// Adds `log`, whose first bit is the page `first`; pages beyond the end are ignored.
  func merge(_ log: UnsafeMutableBufferPointer<UInt64>, atPage first: Int) {
    let (word, shift) = (first / 64, UInt64(first % 64))
    for (index, bits) in log.enumerated() where bits != 0 {
      let target = word + index
      if target < words.count { words[target] |= bits << shift }
      if shift != 0, target + 1 < words.count { words[target + 1] |= bits >> (64 - shift) }
    }
  }
}
