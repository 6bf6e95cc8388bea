// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// A transfer descriptor, TD: blocks that are one transfer (xHCI 1.2, section 4.11). Used again and again.
final class XHCITransferDescriptor {
  /// Longer ones are refused.
  static let capacity = 1024

  let transfer: USBTransfer
  var slot = 0
  var endpoint = 0
  /// The ring behind it.
  var next = XHCIRing()
  private let blocks = UnsafeMutablePointer<XHCIBlock>.allocate(capacity: capacity)
  private let addresses = UnsafeMutablePointer<UInt64>.allocate(capacity: capacity)
  private(set) var count = 0
  private var hasImmediateData = false

  init(memory: GuestMemory, owner: any USBTransferOwner, tag: Int) {
    transfer = USBTransfer(memory: memory, owner: owner, segmentCapacity: Self.capacity)
    transfer.tag = tag
  }

  deinit {
    blocks.deallocate()
    addresses.deallocate()
  }

  func block(_ index: Int) -> XHCIBlock { blocks[index] }
  func address(_ index: Int) -> UInt64 { addresses[index] }

  func begin(slot: Int, endpoint: Int) {
    (self.slot, self.endpoint) = (slot, endpoint)
    (count, hasImmediateData) = (0, false)
    // Until the blocks say what it is.
    transfer.begin(.in, endpoint: 0)
  }

  /// Appends a block.
  /// - Returns: false if there is no room for it.
  func append(_ block: XHCIBlock, at address: UInt64) -> Bool {
    guard count < Self.capacity else { return false }
    blocks[count] = block
    addresses[count] = address
    count += 1
    return true
  }

  /// How many events it may lead to, at most.
  var eventLimit: Int {
    var limit = 1
    for index in 0..<count where blocks[index].has(XHCIBlock.interruptOnCompletion) { limit += 1 }
    return limit
  }

  /// Makes the transfer of the blocks.
  /// - Returns: false if the blocks are not what the endpoint can do (sections 6.4.1.1 and 6.4.1.2).
  func prepare(_ type: XHCIEndpointType) -> Bool {
    guard count > 0, let token = token(type) else { return false }
    transfer.begin(token, endpoint: UInt8(truncatingIfNeeded: endpoint / 2))
    for index in 0..<count {
      switch blocks[index].type {
      case .eventData, .noOperation: continue
      case .normal where index > 0 || type != .control: break
      case .setupStage, .dataStage, .isochronous, .statusStage: if index > 0 { return false }
      default: return false
      }
      guard append(blocks[index]) else { return false }
    }
    return true
  }

  private func append(_ block: XHCIBlock) -> Bool {
    guard block.has(XHCIBlock.immediateData) else {
      return transfer.append(GuestAddress(block.parameter), count: block.byteCount)
    }
    guard !hasImmediateData, block.byteCount <= 8 else { return false }
    hasImmediateData = true
    return transfer.append(immediate: UInt64(littleEndian: block.parameter), count: block.byteCount)
  }

  /// What the first block asks for.
  private func token(_ type: XHCIEndpointType) -> USBToken? {
    let first = blocks[0]
    switch (first.type, type) {
    case (.setupStage, .control):
      return first.has(XHCIBlock.immediateData) && first.byteCount == 8 && count == 1 ? .setup : nil
    case (.dataStage, .control), (.statusStage, .control):
      return first.has(XHCIBlock.directionIn) ? .in : .out
    case (.isochronous, .isochronousIn), (.isochronous, .isochronousOut): return type.isIn ? .in : .out
    case (.normal, .control): return nil
    case (.normal, _), (.eventData, _): return type.isIn ? .in : .out
    default: return nil
    }
  }

  /// Whether it asks nothing of the device.
  var isOnlyForEvents: Bool {
    for index in 0..<count {
      switch blocks[index].type {
      case .eventData, .noOperation: continue
      default: return false
      }
    }
    return true
  }
}
