// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// An isochronous transfer descriptor, iTD (EHCI 1.0, section 3.3): sixteen words, for the eight microframes of a frame.
struct EHCIIsochronousDescriptor {
  static let byteCount = 64
  /// The transaction of microframe 0; a word each.
  static let firstTransaction = 1
  private static let firstPage = 9
  private static let pageCount = 7
  var words: SIMD16<UInt32> = .zero

  var endpoint: UInt8 { UInt8(truncatingIfNeeded: words[Self.firstPage] >> 8 & 15) }
  var deviceAddress: UInt8 { UInt8(truncatingIfNeeded: words[Self.firstPage] & 0x7F) }
  var isIn: Bool { words[Self.firstPage + 1] >> 11 & 1 != 0 }
  func transaction(_ microframe: Int) -> EHCITransaction {
    EHCITransaction(rawValue: words[Self.firstTransaction + min(max(microframe, 0), 7)])
  }
  /// A page of the buffer; nil if there is none of that number.
  func page(_ index: Int) -> GuestAddress? {
    guard 0..<Self.pageCount ~= index else { return nil }
    return GuestAddress(words[Self.firstPage + index] & ~0xFFF)
  }
}

/// What an iTD says of a microframe (section 3.3.2).
struct EHCITransaction {
  var rawValue: UInt32

  static let active: UInt32 = 1 << 31
  static let dataBufferError: UInt32 = 1 << 30
  static let babble: UInt32 = 1 << 29
  static let transactionError: UInt32 = 1 << 28
  /// Three packets of 1024 bytes.
  static let byteLimit = 3072

  var isActive: Bool { rawValue & Self.active != 0 }
  var interruptsOnCompletion: Bool { rawValue >> 15 & 1 != 0 }
  var page: Int { Int(rawValue >> 12 & 7) }
  var offset: UInt64 { UInt64(rawValue & 0xFFF) }
  var byteCount: Int {
    get { Int(rawValue >> 16 & 0xFFF) }
    set { rawValue = rawValue & ~(0xFFF << 16) | UInt32(truncatingIfNeeded: newValue & 0xFFF) << 16 }
  }
}

extension EHCI {
  /// Does what a descriptor has for the microframes of this frame (section 4.7). There is no second time: what a device
  /// does not do at once has failed.
  func runIsochronous(at address: UInt32, _ walk: inout Walk) {
    var descriptor = EHCIIsochronousDescriptor()
    guard withUnsafeMutableBytes(of: &descriptor.words, { memory.read(GuestAddress(address), into: $0) })
    else {
      return haltForSystemError()
    }
    for microframe in 0..<8 where isRunning && walk.bytes > 0 {
      var transaction = descriptor.transaction(microframe)
      guard transaction.isActive else { continue }
      guard let slot = transfers.freeSlot() else { return }
      perform(&transaction, of: descriptor, transfers.slots[slot].transfer)
      guard isRunning else { return }
      transaction.rawValue &= ~EHCITransaction.active
      walk.hasMoved = true
      walk.bytes -= transaction.byteCount + 64
      if transaction.interruptsOnCompletion { walk.interrupts.insert(.interrupt) }
      let place =
        GuestAddress(address) + UInt64((EHCIIsochronousDescriptor.firstTransaction + microframe) * 4)
      guard memory.store(transaction.rawValue, at: place) else { return haltForSystemError() }
    }
  }

  private func perform(
    _ transaction: inout EHCITransaction, of descriptor: EHCIIsochronousDescriptor, _ transfer: USBTransfer
  ) {
    transfer.begin(descriptor.isIn ? .in : .out, endpoint: descriptor.endpoint)
    guard append(transaction, of: descriptor, to: transfer) else {
      transaction.rawValue |= EHCITransaction.dataBufferError
      return
    }
    let result = device(at: descriptor.deviceAddress).map { transfer.submit(to: $0) } ?? .error
    if result == .pending { transfer.cancel() }
    if transfer.hasMemoryFault { return haltForSystemError() }
    // Nobody acknowledges what is sent.
    guard descriptor.isIn else { return }
    transaction.byteCount = result == .success ? transfer.doneCount : 0
    switch result {
    case .success: break
    case .babble: transaction.rawValue |= EHCITransaction.babble
    case .nak, .pending, .stall, .error: transaction.rawValue |= EHCITransaction.transactionError
    }
  }

  /// - Returns: false if the pages do not hold it.
  private func append(
    _ transaction: EHCITransaction, of descriptor: EHCIIsochronousDescriptor, to transfer: USBTransfer
  ) -> Bool {
    guard transaction.byteCount <= EHCITransaction.byteLimit, let page = descriptor.page(transaction.page)
    else {
      return false
    }
    let first = min(transaction.byteCount, 0x1000 - Int(transaction.offset))
    guard transfer.append(page + transaction.offset, count: first) else { return false }
    let rest = transaction.byteCount - first
    guard rest > 0 else { return true }
    guard let next = descriptor.page(transaction.page + 1) else { return false }
    return transfer.append(next, count: rest)
  }
}
