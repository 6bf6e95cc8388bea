// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// A command or transfer ring as its consumer sees it (xHCI 1.2, section 4.9).
struct XHCIRing: Codable, Equatable {
  /// A ring with more Links in a row is taken for a loop.
  private static let linkLimit = 32

  /// Where the next block is.
  var dequeue: UInt64 = 0
  /// CCS: the cycle bit of blocks that the driver has handed over.
  var cycle = false

  /// From a register or a context: the cycle is in bit 0.
  init(pointer: UInt64 = 0) {
    dequeue = pointer & ~15
    cycle = pointer & 1 != 0
  }

  /// As a context shows it.
  var pointer: UInt64 { dequeue | (cycle ? 1 : 0) }

  enum Step: Equatable {
    /// There is no block yet.
    case empty
    case block(XHCIBlock, at: UInt64)
    /// Links lead in a circle.
    case loop
    /// There is no memory.
    case fault
  }

  /// Takes the next block, and follows Links to it. The ring stands behind it, or, if there is none, at its place.
  mutating func next(_ memory: GuestMemory) -> Step {
    for _ in 0..<Self.linkLimit {
      var words: SIMD4<UInt32> = .zero
      let isRead = withUnsafeMutableBytes(of: &words) { memory.read(GuestAddress(dequeue), into: $0) }
      guard isRead else { return .fault }
      var block = XHCIBlock()
      block.parameter = UInt64(words[0]) | UInt64(words[1]) << 32
      (block.status, block.control) = (words[2], words[3])
      guard block.has(XHCIBlock.cycle) == cycle else { return .empty }
      guard block.type == .link else {
        let address = dequeue
        dequeue = dequeue &+ UInt64(XHCIBlock.byteCount)
        return .block(block, at: address)
      }
      dequeue = block.parameter & ~15
      if block.has(XHCIBlock.togglesCycle) { cycle.toggle() }
    }
    return .loop
  }
}
