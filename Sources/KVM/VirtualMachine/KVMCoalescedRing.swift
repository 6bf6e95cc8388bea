// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CKVM
import GuestMemory

/// The page in which KVM queues guest writes to windows that may take them late. One for the whole machine,
/// mapped with each vCPU's run area.
///
/// Emptied with the machine's lock held, before anything else a vCPU's exit does, so that the order of a
/// device's accesses stays.
final class KVMCoalescedRing: @unchecked Sendable {
  // Unchecked: the consumer's side is guarded by the machine's lock; the kernel's side is atomic.
  private let ring: UnsafeMutablePointer<kvm_coalesced_mmio_ring>
  private let entries: UnsafeMutablePointer<kvm_coalesced_mmio>
  private let capacity: UInt32
  /// Keeps the mapping alive.
  private let control: KVMRunControl

  /// The ring in the page with that number of a vCPU's run area; nil if the area is not that long.
  init?(control: KVMRunControl, page: Int) {
    let offset = page * RAMBlock.pageSize
    guard page > 0, offset + RAMBlock.pageSize <= control.byteCount else { return nil }
    let base = UnsafeMutableRawPointer(control.run) + offset
    ring = base.assumingMemoryBound(to: kvm_coalesced_mmio_ring.self)
    let header = MemoryLayout<kvm_coalesced_mmio_ring>.size
    entries = (base + header).assumingMemoryBound(to: kvm_coalesced_mmio.self)
    capacity = UInt32((RAMBlock.pageSize - header) / MemoryLayout<kvm_coalesced_mmio>.stride)
    self.control = control
  }

  /// Whether nothing is queued.
  @inline(__always)
  var isEmpty: Bool { ring.pointee.first == martlet_kvm_ring_last(ring) }

  /// Delivers what is queued, in order.
  @inline(never)
  func drain(into bus: SystemBus) {
    // At most one round: a guest that keeps on writing does not keep the lock.
    var budget = capacity
    while budget > 0, !isEmpty {
      budget -= 1
      let first = ring.pointee.first % capacity
      let entry = entries + Int(first)
      let length = Int(min(entry.pointee.len, 8))
      let value = withUnsafeBytes(of: &entry.pointee.data) { $0.load(as: UInt64.self) }
      let address = entry.pointee.phys_addr
      let isPort = entry.pointee.pio != 0
      martlet_kvm_ring_set_first(ring, (first + 1) % capacity)
      if isPort {
        bus.ports.write(
          UInt16(truncatingIfNeeded: address), UInt64(littleEndian: value),
          AccessWidth(fitting: min(length, 4)))
      } else {
        bus.memory.writeBytes(UInt64(littleEndian: value), count: length, at: address)
      }
    }
  }
}

extension MemorySpace {
  /// Writes the low `count` bytes (1 … 8) of `value`, in the widest pieces that fit.
  @inline(__always)
  func writeBytes(_ value: UInt64, count: Int, at address: UInt64) {
    var (value, count, address) = (value, count, GuestAddress(address))
    while count > 0 {
      let width = AccessWidth(fitting: count)
      write(address, value & width.allOnes, width)
      count -= width.count
      if count > 0 { value >>= UInt64(width.count * 8) }
      address += width.count
    }
  }

  /// Reads `count` bytes (1 … 8), in the widest pieces that fit.
  @inline(__always)
  func readBytes(count: Int, at address: UInt64) -> UInt64 {
    var value: UInt64 = 0
    var done = 0
    while done < count {
      let width = AccessWidth(fitting: count - done)
      value |= read(GuestAddress(address) + done, width) << UInt64(done * 8)
      done += width.count
    }
    return value
  }
}
