// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// Someone who keeps a copy of the memory map: an engine with its memory slots or its TLB.
public protocol MemoryMapListener: AnyObject {
  /// The map changed: first all of `removed` go, then all of `added` come. Ranges in neither are unchanged.
  func memoryMapChanged(removed: [FlatRange], added: [FlatRange])
  /// Recording of the guest's writes to `block` was turned on or off.
  func dirtyTrackingChanged(of block: RAMBlock)
  /// Adds the guest's writes to `block` since the last call to `block.dirty`.
  func collectDirtyPages(of block: RAMBlock)
}

/// The guest's physical memory addresses: which region is seen at each, and the dispatch of accesses that
/// the engine does not make directly in RAM.
///
/// Called with the machine's lock held.
public final class MemorySpace {
  private struct Entry {
    let base: UInt64
    let count: UInt64
    /// Host memory reads come from (and writes go to, if `isWritable`); nil for registers.
    let host: UnsafeMutableRawPointer?
    let isWritable: Bool
    let window: Unmanaged<AddressWindow>?
    let windowOffset: UInt64
  }

  /// The RAM among it, for DMA.
  public let memory: GuestMemory
  /// The map with overlaps resolved, sorted by address.
  public private(set) var flatRanges: [FlatRange] = []
  /// All regions, seen or not, in the order they were added.
  public private(set) var regions: [MemoryRegion] = []
  /// Accesses to addresses at which nothing answered, since the start.
  public private(set) var unclaimedAccesses: UInt64 = 0
  /// Traces every access that reaches a window or nothing, when set.
  public var trace:
    ((_ address: GuestAddress, _ value: UInt64, _ width: AccessWidth, _ isWrite: Bool) -> Void)?

  private var table: UnsafeMutableBufferPointer<Entry>
  private var lastHit = 0
  private var listeners: [any MemoryMapListener] = []
  private var transactionDepth = 0
  private var changedInTransaction = false

  /// An empty space, whose RAM will be reachable through `memory`.
  public init(memory: GuestMemory = GuestMemory()) {
    self.memory = memory
    table = UnsafeMutableBufferPointer(start: nil, count: 0)
  }

  deinit { table.deallocate() }

  // MARK: The map

  /// Adds a region.
  public func add(_ region: MemoryRegion) {
    regions.append(region)
    changed()
  }

  /// Removes a region.
  public func remove(_ region: MemoryRegion) {
    regions.removeAll { $0 === region }
    changed()
  }

  /// Moves, shows or hides a region, or changes what is behind it.
  public func update(
    _ region: MemoryRegion, base: GuestAddress? = nil, isEnabled: Bool? = nil,
    backing: MemoryRegion.Backing? = nil
  ) {
    if let base { region.base = base }
    if let isEnabled { region.isEnabled = isEnabled }
    if let backing { region.backing = backing }
    changed()
  }

  /// Makes several changes as one, so that the map is rebuilt and the engine told once.
  public func transaction(_ body: () -> Void) {
    transactionDepth += 1
    body()
    transactionDepth -= 1
    if transactionDepth == 0, changedInTransaction { changed() }
  }

  /// Tells `listener` of the present map and of each change from now on. One that is here already is not
  /// added again.
  public func addListener(_ listener: any MemoryMapListener) {
    guard !listeners.contains(where: { $0 === listener }) else { return }
    listeners.append(listener)
    listener.memoryMapChanged(removed: [], added: flatRanges)
  }

  private func changed() {
    guard transactionDepth == 0 else {
      changedInTransaction = true
      return
    }
    changedInTransaction = false
    let old = flatRanges
    let new = FlatRange.flatten(regions)
    guard old != new else { return }
    flatRanges = new
    rebuildTable()
    let removed = old.filter { range in !new.contains(range) }
    let added = new.filter { range in !old.contains(range) }
    for listener in listeners { listener.memoryMapChanged(removed: removed, added: added) }
  }

  private func rebuildTable() {
    table.deallocate()
    table = .allocate(capacity: flatRanges.count)
    lastHit = 0
    var ram: [GuestMemory.Range] = []
    var blocks: [RAMBlock] = []
    for (index, range) in flatRanges.enumerated() {
      (table.baseAddress! + index).initialize(
        to: Entry(
          base: range.base, count: range.count, host: range.block.map { $0.hostAddress + range.blockOffset },
          isWritable: range.access == .readWrite, window: range.window.map { .passUnretained($0) },
          windowOffset: range.windowOffset))
      if let block = range.block {
        ram.append(
          GuestMemory.Range(
            base: range.base, count: range.count, block: block, blockOffset: range.blockOffset,
            isWritable: range.access == .readWrite))
        blocks.append(block)
      }
    }
    memory.setRanges(ram, keepingAlive: blocks)
  }

  // MARK: Dirty pages

  /// Turns recording of writes to `block`, the guest's and the devices', on or off.
  public func setDirtyTracking(of block: RAMBlock, _ on: Bool) {
    guard block.dirty.isTracking != on else { return }
    block.dirty.setTracking(on)
    for listener in listeners { listener.dirtyTrackingChanged(of: block) }
  }

  /// Brings `block.dirty` up to date with the guest's own writes.
  public func collectDirtyPages(of block: RAMBlock) {
    for listener in listeners { listener.collectDirtyPages(of: block) }
  }

  // MARK: Accesses

  @inline(__always)
  private func find(_ address: UInt64) -> Int? {
    if lastHit < table.count, address &- table[lastHit].base < table[lastHit].count { return lastHit }
    var low = 0
    var high = table.count
    while low < high {
      let middle = (low + high) / 2
      if address < table[middle].base {
        high = middle
      } else if address - table[middle].base >= table[middle].count {
        low = middle + 1
      } else {
        lastHit = middle
        return middle
      }
    }
    return nil
  }

  /// Reads `width` at `address`; all ones where nothing answers.
  public func read(_ address: GuestAddress, _ width: AccessWidth) -> UInt64 {
    guard let index = find(address.rawValue) else {
      unclaimedAccesses &+= 1
      trace?(address, width.allOnes, width, false)
      return width.allOnes
    }
    let entry = table[index]
    let offset = address.rawValue - entry.base
    guard entry.count - offset >= UInt64(width.rawValue) else { return splitRead(address, width, by: .byte) }
    if let host = entry.host {
      return Self.loadHost(host + Int(offset), width)
    }
    guard let window = entry.window else { return width.allOnes }
    return window._withUnsafeGuaranteedRef { window in
      guard width <= window.widest else { return splitRead(address, width, by: window.widest) }
      let value = window.readWidened(entry.windowOffset + offset, width)
      if trace != nil { trace?(address, value, width, false) }
      return value
    }
  }

  /// Writes the low `width` of `value` at `address`; dropped where nothing answers.
  public func write(_ address: GuestAddress, _ value: UInt64, _ width: AccessWidth) {
    guard let index = find(address.rawValue) else {
      unclaimedAccesses &+= 1
      trace?(address, value, width, true)
      return
    }
    let entry = table[index]
    let offset = address.rawValue - entry.base
    guard entry.count - offset >= UInt64(width.rawValue) else {
      return splitWrite(address, value, width, by: .byte)
    }
    if entry.isWritable {
      let bytes = value.littleEndian
      withUnsafeBytes(of: bytes) {
        _ = memory.write(address, from: UnsafeRawBufferPointer(rebasing: $0[..<width.count]))
      }
      return
    }
    guard let window = entry.window else { return }
    window._withUnsafeGuaranteedRef { window in
      guard width <= window.widest else { return splitWrite(address, value, width, by: window.widest) }
      if trace != nil { trace?(address, value, width, true) }
      window.writeWidened(entry.windowOffset + offset, value, width)
    }
  }

  @inline(__always)
  private static func loadHost(_ host: UnsafeMutableRawPointer, _ width: AccessWidth) -> UInt64 {
    switch width {
    case .byte: UInt64(host.load(as: UInt8.self))
    case .word: UInt64(UInt16(littleEndian: host.loadUnaligned(as: UInt16.self)))
    case .dword: UInt64(UInt32(littleEndian: host.loadUnaligned(as: UInt32.self)))
    case .qword: UInt64(littleEndian: host.loadUnaligned(as: UInt64.self))
    }
  }

  @inline(never)
  private func splitRead(_ address: GuestAddress, _ width: AccessWidth, by part: AccessWidth) -> UInt64 {
    var value: UInt64 = 0
    var done = 0
    while done < width.count {
      value |= read(address + done, part) << UInt64(done * 8)
      done += part.count
    }
    return value
  }

  @inline(never)
  private func splitWrite(
    _ address: GuestAddress, _ value: UInt64, _ width: AccessWidth, by part: AccessWidth
  ) {
    var done = 0
    while done < width.count {
      write(address + done, value >> UInt64(done * 8) & part.allOnes, part)
      done += part.count
    }
  }
}
