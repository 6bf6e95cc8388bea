// SPDX-License-Identifier: GPL-2.0-or-later

/// What is done with memory.
enum MemoryAccess: UInt8 {
  case read
  case write
  case execute
}

/// Guest memory, as handlers use it. The fast path is a compare and an add; everything else is in
/// SlowAccess.swift. A nil or false means that an exception is recorded: the handler gives back
/// ``faulted(_:)``.
extension UnsafeMutablePointer<Processor> {
  /// The linear address of an operation's memory operand.
  @inline(__always)
  func address(_ operation: UnsafePointer<Operation>, count: Int, _ access: MemoryAccess) -> UInt64? {
    let offset = effectiveAddress(operation)
    let segment = operation.pointee.segment
    if segment & Operation.checkedSegment == 0 {
      return offset &+ pointee.flatBase[unchecked: Int(segment)]
    }
    return checkedLinear(segment & 7, offset, count: count, access)
  }

  /// The offset part of an operation's memory operand.
  @inline(__always)
  func effectiveAddress(_ operation: UnsafePointer<Operation>) -> UInt64 {
    let sum =
      (get(operation.pointee.base, as: UInt64.self)
        &+ (get(operation.pointee.index, as: UInt64.self) &<< UInt64(operation.pointee.scale)))
      &+ UInt64(bitPattern: operation.pointee.displacement)
    let shift = UInt64(operation.pointee.addressShift)
    return (sum &<< shift) &>> shift
  }

  /// The linear address of `offset` in a segment, whose checks (if it needs any) it passes.
  @inline(__always)
  func linear(_ segment: Int, _ offset: UInt64, count: Int, _ access: MemoryAccess) -> UInt64? {
    if pointee.mode.bits >> (ExecutionMode.checkedShift + UInt32(segment)) & 1 == 0 {
      return offset &+ pointee.flatBase[unchecked: segment]
    }
    return checkedLinear(UInt8(segment), offset, count: count, access)
  }

  @inline(__always)
  private func entry(_ linear: UInt64) -> UnsafeMutablePointer<TLBEntry> {
    pointee.tlb + Int(truncatingIfNeeded: (linear &>> 12) & TLB.indexMask)
  }

  /// The page that the last byte is on: only if it is that of the first byte do tags match.
  @inline(__always)
  private func lastPage(_ linear: UInt64, _ count: Int) -> UInt64 {
    (linear &+ UInt64(count - 1)) & ~0xFFF
  }

  /// Reads from a linear address.
  @inline(__always)
  func load<T: Width>(_ linear: UInt64, as type: T.Type = T.self) -> T? {
    let entry = entry(linear)
    if entry.pointee.readTag == lastPage(linear, T.byteCount) {
      return UnsafeRawPointer(
        bitPattern: UInt(linear) &+ UInt(bitPattern: entry.pointee.addend)
      ).unsafelyUnwrapped.loadUnaligned(as: T.self)
    }
    return loadSlow(linear, T.byteCount) ? T(truncatingIfNeeded: pointee.transfer) : nil
  }

  /// Writes to a linear address.
  @inline(__always)
  func store<T: Width>(_ linear: UInt64, _ value: T) -> Bool {
    let entry = entry(linear)
    if entry.pointee.writeTag == lastPage(linear, T.byteCount) {
      UnsafeMutableRawPointer(
        bitPattern: UInt(linear) &+ UInt(bitPattern: entry.pointee.addend)
      ).unsafelyUnwrapped.storeBytes(of: value, as: T.self)
      return true
    }
    return storeSlow(linear, UInt64(truncatingIfNeeded: value), T.byteCount)
  }

  /// Replaces the value at a linear address by what `body` makes of it. All faults come before `body`, which
  /// therefore may change registers and flags.
  @inline(__always)
  func modify<T: Width>(_ linear: UInt64, as type: T.Type = T.self, _ body: (T) -> T) -> Bool {
    let entry = entry(linear)
    if entry.pointee.writeTag == lastPage(linear, T.byteCount) {
      let host = UnsafeMutableRawPointer(
        bitPattern: UInt(linear) &+ UInt(bitPattern: entry.pointee.addend)
      ).unsafelyUnwrapped
      host.storeBytes(of: body(host.loadUnaligned(as: T.self)), as: T.self)
      return true
    }
    guard loadForWriteSlow(linear, T.byteCount) else { return false }
    return storeSlow(
      linear, UInt64(truncatingIfNeeded: body(T(truncatingIfNeeded: pointee.transfer))), T.byteCount)
  }

  /// Host memory of `count` (at most 4096) bytes at a linear address, if they are on one page that may be
  /// read without further ado.
  @inline(__always)
  func readableBytes(_ linear: UInt64, _ count: Int) -> UnsafeRawPointer? {
    let entry = entry(linear)
    guard entry.pointee.readTag == lastPage(linear, count) else { return nil }
    return UnsafeRawPointer(bitPattern: UInt(linear) &+ UInt(bitPattern: entry.pointee.addend))
  }

  /// Host memory of `count` (at most 4096) bytes at a linear address, if they are on one page that may be
  /// written without further ado.
  @inline(__always)
  func writableBytes(_ linear: UInt64, _ count: Int) -> UnsafeMutableRawPointer? {
    let entry = entry(linear)
    guard entry.pointee.writeTag == lastPage(linear, count) else { return nil }
    return UnsafeMutableRawPointer(bitPattern: UInt(linear) &+ UInt(bitPattern: entry.pointee.addend))
  }

  // MARK: Exceptions

  /// Records an exception; false, so that it can end a chain of conditions.
  @discardableResult
  func raise(_ vector: ExceptionVector, _ errorCode: UInt32 = 0) -> Bool {
    pointee.exceptionVector = vector.rawValue
    pointee.exceptionErrorCode = errorCode
    pointee.exceptionIsTrap = false
    return false
  }

  /// Makes the exception of an access #SS if it was outside of its segment, which was the stack's; false.
  @discardableResult
  func failedOnStack() -> Bool {
    if pointee.isOutside {
      pointee.isOutside = false
      pointee.exceptionVector = ExceptionVector.stackFault.rawValue
    }
    return false
  }

  /// Ends an operation that did not take place: what handlers give back when an exception is recorded.
  func faulted(_ operation: UnsafePointer<Operation>) -> UnsafeRawPointer? {
    if operation.pointee.segment & 7 == 2 { failedOnStack() }
    pointee.isOutside = false
    pointee.rip = pointee.blockStart &+ UInt64(operation.pointee.offset)
    pointee.executed &-= UInt64(operation.pointee.remaining)
    return nil
  }

  /// Ends an operation with an exception.
  func fault(
    _ operation: UnsafePointer<Operation>, _ vector: ExceptionVector, _ errorCode: UInt32 = 0
  ) -> UnsafeRawPointer? {
    raise(vector, errorCode)
    return faulted(operation)
  }

  /// RIP of the instruction after `operation`.
  @inline(__always)
  func nextInstruction(_ operation: UnsafePointer<Operation>) -> UInt64 {
    let rip = pointee.blockStart &+ UInt64(operation.pointee.offset) &+ UInt64(operation.pointee.length)
    return pointee.mode.isLong ? rip : rip & 0xFFFF_FFFF
  }

  /// Ends the block after `operation`, which took place: the run loop looks at events and modes.
  func finished(_ operation: UnsafePointer<Operation>) -> UnsafeRawPointer? {
    pointee.rip = nextInstruction(operation)
    pointee.executed &-= UInt64(operation.pointee.remaining) &- 1
    return nil
  }
}

/// Exceptions (SDM volume 3, table 6-1).
enum ExceptionVector: UInt8 {
  case divideError = 0
  case debug = 1
  case nonMaskableInterrupt = 2
  case breakpoint = 3
  case overflow = 4
  case boundRangeExceeded = 5
  case invalidOpcode = 6
  case deviceNotAvailable = 7
  case doubleFault = 8
  case invalidTSS = 10
  case segmentNotPresent = 11
  case stackFault = 12
  case generalProtection = 13
  case pageFault = 14
  case x87FloatingPoint = 16
  case alignmentCheck = 17
  case machineCheck = 18
  case simdFloatingPoint = 19
}
