// SPDX-License-Identifier: GPL-2.0-or-later

/// Decoded instructions that follow each other, up to the one after which execution goes on elsewhere. The
/// operations come right after this header in memory.
struct Block {
  /// RIP of the first instruction.
  let rip: UInt64
  /// The mode it was decoded in.
  let mode: ExecutionMode
  /// The number of instructions.
  var count: UInt32
  /// CS's base and limit outside 64-bit code.
  let codeBase: UInt64
  let codeLimit: UInt32
  /// Offset of its first byte on its page, and the number of its bytes there.
  let pageOffset: UInt16
  var byteCount: UInt16
  /// The page on which its only instruction ends, if it does not end on the one it starts on.
  var secondPage: UnsafeMutableRawPointer?
  /// Whether it is found again: not if it was fetched from where no RAM is.
  var isKept = false
  /// The next in its page's hash chain.
  var nextInPage: UnsafeMutablePointer<Block>?
}

extension UnsafeMutablePointer<Block> {
  @inline(__always)
  var operations: UnsafeMutablePointer<Operation> {
    UnsafeMutableRawPointer(self + 1).assumingMemoryBound(to: Operation.self)
  }
}

/// A block by its RIP, for indirect branches and branches to another page.
struct JumpCacheEntry {
  var rip: UInt64 = 0
  var block: UnsafeMutablePointer<Block>?
  /// The processor's ``Processor/mapGeneration`` when it was found.
  var generation: UInt32 = 0
}

enum JumpCache {
  static let entryCount = 4096
  @inline(__always)
  static func index(_ rip: UInt64) -> Int { Int(truncatingIfNeeded: (rip ^ rip &>> 12) & 4095) }
}

extension UnsafeMutablePointer<Processor> {
  /// Starts on a block: its first operation, or nil if the run loop is wanted.
  @inline(__always)
  func enter(_ block: UnsafeMutablePointer<Block>) -> UnsafeRawPointer? {
    pointee.blockStart = block.pointee.rip
    let executed = pointee.executed &+ UInt64(block.pointee.count)
    if executed > pointee.stopAt || pointee.attention.pointee.load(ordering: .relaxed) != 0 {
      pointee.rip = block.pointee.rip
      return nil
    }
    pointee.executed = executed
    return UnsafeRawPointer(block.operations)
  }

  /// Goes on at `rip`, which an instruction computed; the instructions of this block after `operation` are
  /// not executed.
  @inline(__always)
  func jump(_ operation: UnsafePointer<Operation>, to rip: UInt64) -> UnsafeRawPointer? {
    pointee.executed &-= UInt64(operation.pointee.remaining) &- 1
    let entry = pointee.jumpCache + JumpCache.index(rip)
    if entry.pointee.rip == rip, entry.pointee.generation == pointee.mapGeneration,
      let block = entry.pointee.block, isUsable(block)
    {
      return enter(block)
    }
    pointee.rip = rip
    return lookUp()
  }

  /// Goes on at `rip` by way of the run loop.
  func leave(_ operation: UnsafePointer<Operation>, to rip: UInt64) -> UnsafeRawPointer? {
    pointee.rip = rip
    pointee.executed &-= UInt64(operation.pointee.remaining) &- 1
    return nil
  }

  /// Goes on at `operation`'s target, ``Operation/immediate``; #GP if that is beyond the code segment's end.
  @inline(__always)
  func branch(_ operation: UnsafePointer<Operation>) -> UnsafeRawPointer? {
    if operation.pointee.linkGeneration == pointee.mapGeneration, let block = operation.pointee.link {
      pointee.executed &-= UInt64(operation.pointee.remaining) &- 1
      return enter(block)
    }
    return link(operation, isBranch: true)
  }

  /// Goes on at what follows the block that `operation` ends.
  @inline(__always)
  func goOn(_ operation: UnsafePointer<Operation>) -> UnsafeRawPointer? {
    if operation.pointee.linkGeneration == pointee.mapGeneration, let block = operation.pointee.link {
      return enter(block)
    }
    return link(operation, isBranch: false)
  }

  /// Whether ``branch(_:)`` will raise nothing: for instructions that have something to do before.
  @inline(__always)
  func mayBranch(_ operation: UnsafePointer<Operation>) -> Bool {
    operation.pointee.linkGeneration == pointee.mapGeneration || isCodeTarget(operation.pointee.immediate)
  }

  /// Whether a block was decoded in the present mode and code segment.
  @inline(__always)
  func isUsable(_ block: UnsafeMutablePointer<Block>) -> Bool {
    block.pointee.mode == pointee.mode && block.pointee.codeBase == pointee.codeBase
  }

  /// Finds or decodes the block at ``Processor/rip`` and starts on it; nil if that raises an exception or
  /// the run loop is wanted.
  @inline(never)
  func lookUp() -> UnsafeRawPointer? {
    // A trap behind this instruction comes before whatever the next one's fetch runs into.
    if pointee.mode.bits & ExecutionMode.single != 0 { return nil }
    let entry = pointee.jumpCache + JumpCache.index(pointee.rip)
    if entry.pointee.rip == pointee.rip, entry.pointee.generation == pointee.mapGeneration,
      let block = entry.pointee.block, isUsable(block)
    {
      return enter(block)
    }
    guard let block = findBlock() else { return nil }
    entry.pointee = JumpCacheEntry(
      rip: pointee.rip, block: block, generation: pointee.mapGeneration)
    return enter(block)
  }

  /// Like ``lookUp()`` at `operation`'s target, and remembers the block for the next time.
  @inline(never)
  private func link(_ operation: UnsafePointer<Operation>, isBranch: Bool) -> UnsafeRawPointer? {
    if isBranch, !isCodeTarget(operation.pointee.immediate) { return faulted(operation) }
    pointee.executed &-= UInt64(operation.pointee.remaining) &- 1
    pointee.rip = operation.pointee.immediate
    if pointee.mode.bits & ExecutionMode.single != 0 { return nil }
    let generation = pointee.mapGeneration
    guard let block = findBlock() else { return nil }
    // If room had to be made for the block, the operation is gone.
    guard block.pointee.isKept, generation == pointee.mapGeneration else { return enter(block) }
    let operation = UnsafeMutablePointer<Operation>(mutating: operation)
    operation.pointee.link = block
    operation.pointee.linkGeneration = pointee.mapGeneration
    return enter(block)
  }
}
