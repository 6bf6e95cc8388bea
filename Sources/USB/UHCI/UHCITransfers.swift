// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// What was handed to devices and not answered at once, with the place in the schedule where it came from.
final class UHCITransfers {
  /// A transfer and its transfer descriptor.
  struct Slot {
    let transfer: USBTransfer
    var descriptor: UInt32 = 0
    var token: UInt32 = 0
    /// The queue head whose first element it was; nil if it hung in the frame list itself.
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

  init(memory: GuestMemory, owner: any USBTransferOwner) {
    slots = .allocate(capacity: Self.capacity)
    for index in 0..<Self.capacity {
      let transfer = USBTransfer(memory: memory, owner: owner, segmentCapacity: 1)
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

  func cancel(_ index: Int) {
    slots[index].transfer.cancel()
    free(index)
  }

  func cancelAll() {
    guard usedCount > 0 else { return }
    for index in slots.indices where slots[index].isUsed { cancel(index) }
  }
}

/// The queue heads that were come by since something moved: a loop of them ends there.
final class UHCIVisits {
  /// A schedule with more queue heads in a row is taken for a loop.
  static let capacity = 256
  private let addresses = UnsafeMutablePointer<UInt32>.allocate(capacity: capacity)
  private var count = 0

  init() { addresses.initialize(repeating: 0, count: Self.capacity) }
  deinit { addresses.deallocate() }

  /// Comes by a queue head.
  /// - Returns: whether it is new.
  func visit(_ address: UInt32) -> Bool {
    for index in 0..<count where addresses[index] == address { return false }
    guard count < Self.capacity else { return false }
    addresses[count] = address
    count += 1
    return true
  }

  func forget() { count = 0 }
}
