// SPDX-License-Identifier: GPL-2.0-or-later

/// The RAM a device can reach: every DMA goes through here and through its bounds checks.
///
/// It holds the flat list of address ranges that are backed by a ``RAMBlock``, which the memory map
/// (`Bus.MemorySpace`) replaces whenever the map changes. Addresses that are not RAM (holes, device
/// registers) are refused, so that a guest cannot make a device write to a device. All values are
/// little-endian, as on the PCI bus. Called with the machine's lock held.
public final class GuestMemory {
  /// A stretch of guest physical addresses backed by host memory.
  public struct Range {
    /// The first address.
    public let base: UInt64
    /// The length in bytes.
    public let count: UInt64
    /// The host's address of `base`.
    public let host: UnsafeMutableRawPointer
    /// Whether DMA writes are let through; ROM is not writable.
    public let isWritable: Bool
    /// The block, for dirty tracking; kept alive by the memory map.
    public let block: Unmanaged<RAMBlock>
    /// The offset of `base` in the block.
    public let blockOffset: Int

    /// A range of `count` bytes at `base`, showing `block` from `blockOffset` on.
    public init(base: UInt64, count: UInt64, block: RAMBlock, blockOffset: Int, isWritable: Bool) {
      self.base = base
      self.count = count
      self.host = block.hostAddress + blockOffset
      self.isWritable = isWritable
      self.block = Unmanaged.passUnretained(block)
      self.blockOffset = blockOffset
    }
  }

  /// What a caller wants to do with the memory.
  public enum Access: Sendable {
    case read
    case write
  }

  private var ranges: UnsafeMutableBufferPointer<Range>
  private var lastHit = 0
  private var keptAlive: [RAMBlock] = []

  /// No RAM at all, until ranges are set.
  public init() { ranges = UnsafeMutableBufferPointer(start: nil, count: 0) }

  /// RAM made of one block at address 0: for tests and simple boards.
  public convenience init(block: RAMBlock) {
    self.init()
    setRanges(
      [Range(base: 0, count: UInt64(block.byteCount), block: block, blockOffset: 0, isWritable: true)],
      keepingAlive: [block])
  }

  deinit { ranges.deallocate() }

  /// Replaces the map. `ranges` must be sorted by address, not overlap, and lie inside their blocks.
  public func setRanges(_ newRanges: [Range], keepingAlive blocks: [RAMBlock]) {
    ranges.deallocate()
    ranges = .allocate(capacity: newRanges.count)
    _ = ranges.initialize(from: newRanges)
    keptAlive = blocks
    lastHit = 0
  }

  /// The index of the range that holds `address`.
  @inline(__always)
  private func find(_ address: UInt64) -> Int? {
    if lastHit < ranges.count {
      let range = ranges[lastHit]
      if address &- range.base < range.count { return lastHit }
    }
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      let range = ranges[middle]
      if address < range.base {
        high = middle
      } else if address - range.base >= range.count {
        low = middle + 1
      } else {
        lastHit = middle
        return middle
      }
    }
    return nil
  }

  /// The longest piece of host memory, at most `count` bytes, that shows the guest's bytes from
  /// `address` on; nil if `address` is not RAM, or is to be written and is ROM.
  ///
  /// For `.write` the pages are marked dirty at once: the caller is about to write them. The memory
  /// stays mapped as long as the machine lives, so host I/O may go on with it after the lock is dropped.
  public func hostBytes(at address: GuestAddress, count: Int, for access: Access)
    -> UnsafeMutableRawBufferPointer?
  {
    guard count > 0, let index = find(address.rawValue) else { return nil }
    let range = ranges[index]
    if access == .write && !range.isWritable { return nil }
    let offset = address.rawValue - range.base
    let length = Int(min(UInt64(count), range.count - offset))
    if access == .write {
      range.block._withUnsafeGuaranteedRef {
        $0.dirty.mark(byteOffset: range.blockOffset + Int(offset), count: length)
        $0.onDeviceWrite?(range.blockOffset + Int(offset), length)
      }
    }
    return UnsafeMutableRawBufferPointer(start: range.host + Int(offset), count: length)
  }

  /// Copies guest memory from `address` on into `destination`.
  /// - Returns: false if not all of it is RAM; the part before the hole has been copied.
  @discardableResult
  public func read(_ address: GuestAddress, into destination: UnsafeMutableRawBufferPointer) -> Bool {
    var done = 0
    while done < destination.count {
      guard let source = hostBytes(at: address + done, count: destination.count - done, for: .read) else {
        return false
      }
      UnsafeMutableRawBufferPointer(rebasing: destination[done...]).copyMemory(
        from: UnsafeRawBufferPointer(source))
      done += source.count
    }
    return true
  }

  /// Copies `source` into guest memory from `address` on.
  /// - Returns: false if not all of it is writable RAM; the part before the hole has been written.
  @discardableResult
  public func write(_ address: GuestAddress, from source: UnsafeRawBufferPointer) -> Bool {
    var done = 0
    while done < source.count {
      guard let destination = hostBytes(at: address + done, count: source.count - done, for: .write) else {
        return false
      }
      destination.copyMemory(
        from: UnsafeRawBufferPointer(rebasing: source[done..<(done + destination.count)]))
      done += destination.count
    }
    return true
  }

  /// The little-endian value at `address`, or nil if it is not all RAM.
  @inlinable
  public func load<Value: FixedWidthInteger>(_ address: GuestAddress, as type: Value.Type = Value.self)
    -> Value?
  {
    var value: Value = 0
    let complete = withUnsafeMutableBytes(of: &value) { read(address, into: $0) }
    return complete ? Value(littleEndian: value) : nil
  }

  /// Stores `value` little-endian at `address`.
  /// - Returns: false if it is not all writable RAM.
  @inlinable
  @discardableResult
  public func store<Value: FixedWidthInteger>(_ value: Value, at address: GuestAddress) -> Bool {
    withUnsafeBytes(of: value.littleEndian) { write(address, from: $0) }
  }

  /// Whether `address` is RAM (or ROM).
  public func contains(_ address: GuestAddress) -> Bool { find(address.rawValue) != nil }
}
