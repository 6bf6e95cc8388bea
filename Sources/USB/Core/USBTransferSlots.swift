// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// What a controller handed to devices that did not answer at once, with the place in its schedule where it came from.
final class USBTransferSlots {
  /// A transfer and its transfer descriptor.
  struct Slot {
    let transfer: USBTransfer
    var descriptor: UInt32 = 0
    /// The descriptor's word that says what it is.
    var token: UInt32 = 0
    /// The queue head whose first element it was; nil if it was in none.
    var queue: UInt32?
    /// When the schedule had it last.
    var lastSeen: UInt64 = 0
    var isUsed = false
  }

  /// More are as if the device had answered NAK.
  static let capacity = 32
  /// What was not seen in the schedule for so many nanoseconds is taken back.
  static let forgottenAfter: UInt64 = 256_000_000
  let slots: UnsafeMutableBufferPointer<Slot>
  private(set) var usedCount = 0

  init(memory: GuestMemory, owner: any USBTransferOwner, segmentCapacity: Int) {
    slots = .allocate(capacity: Self.capacity)
    for index in 0..<Self.capacity {
      let transfer = USBTransfer(memory: memory, owner: owner, segmentCapacity: segmentCapacity)
      transfer.tag = index
      slots.initializeElement(at: index, to: Slot(transfer: transfer))
    }
  }

  deinit { slots.deinitialize().deallocate() }

  /// The slot of a transfer descriptor that a device has.
  func slot(of descriptor: UInt32) -> Int? {
    guard usedCount > 0 else { return nil }
    return slots.firstIndex { $0.isUsed && $0.descriptor == descriptor }
  }

  /// The slot of what a device has of a queue.
  func slot(ofQueue queue: UInt32) -> Int? {
    guard usedCount > 0 else { return nil }
    return slots.firstIndex { $0.isUsed && $0.queue == queue }
  }

  /// A slot to use.
  func freeSlot() -> Int? { usedCount == 0 ? 0 : slots.firstIndex { !$0.isUsed } }

  /// A device keeps what is in a slot.
  func keep(_ index: Int, descriptor: UInt32, token: UInt32, queue: UInt32?, now: UInt64) {
    slots[index].descriptor = descriptor
    slots[index].token = token
    slots[index].queue = queue
    slots[index].lastSeen = now
    slots[index].isUsed = true
    usedCount += 1
  }

  /// The slot is free again.
  func free(_ index: Int) {
    guard slots[index].isUsed else { return }
    slots[index].isUsed = false
    usedCount -= 1
  }

  /// Frees the slot of a transfer that ended.
  /// - Returns: where it came from; nil if it is none of these.
  func take(_ transfer: USBTransfer) -> Slot? {
    guard slots.indices.contains(transfer.tag), slots[transfer.tag].isUsed else { return nil }
    free(transfer.tag)
    return slots[transfer.tag]
  }

  func cancel(_ index: Int) {
    slots[index].transfer.cancel()
    free(index)
  }

  func cancelAll() {
    guard usedCount > 0 else { return }
    for index in slots.indices where slots[index].isUsed { cancel(index) }
  }

  /// Takes back what the schedule does not have any more.
  func cancel(where isGone: (Slot) -> Bool) {
    guard usedCount > 0 else { return }
    for index in slots.indices where slots[index].isUsed && isGone(slots[index]) { cancel(index) }
  }
}
