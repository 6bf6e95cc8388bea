// SPDX-License-Identifier: GPL-2.0-or-later

/// The string instructions. With REP they run until the count is used up or an event is pending; registers
/// are up to date after each element, so an exception or event leaves an instruction that can be started
/// again.
extension UnsafeMutablePointer<Processor> {
  /// Bits of the address size.
  @inline(__always)
  private func addressMask(_ op: UnsafePointer<Operation>) -> UInt64 {
    (~0 as UInt64) &>> UInt64(op.pointee.addressShift)
  }

  /// Sets the part of a register that the address size uses.
  @inline(__always)
  private func setAddress(_ offset: UInt8, _ value: UInt64, _ mask: UInt64) {
    switch mask {
    case 0xFFFF: set(offset, UInt16(truncatingIfNeeded: value))
    case 0xFFFF_FFFF: set(offset, UInt32(truncatingIfNeeded: value))
    default: set(offset, value)
    }
  }

  /// Moves an index register on, the way RFLAGS.DF says.
  @inline(__always)
  func advance(_ register: UInt8, by count: Int, _ mask: UInt64) {
    setAddress(register, get(register, as: UInt64.self) &+ stride(count), mask)
  }

  /// How far the index registers move.
  @inline(__always)
  private func stride(_ count: Int) -> UInt64 {
    pointee.systemFlags & Flag.direction != 0 ? UInt64(bitPattern: -Int64(count)) : UInt64(count)
  }

  /// Elements done at a stretch before events are looked at.
  private var chunk: Int { 4096 }

  /// Runs `element` once or, with a REP prefix, RCX times; it gives back nil if it raised an exception and
  /// false to stop the repetition.
  @inline(__always)
  func repeated(
    _ op: UnsafePointer<Operation>, wholePages: () -> Void = {}, _ element: (_ mask: UInt64) -> Bool?
  ) -> UnsafeRawPointer? {
    let mask = addressMask(op)
    if op.pointee.flags & (Operation.repeatEqual | Operation.repeatNotEqual) == 0 {
      return element(mask) == nil ? faulted(op) : op.next
    }
    var budget = chunk
    while true {
      wholePages()
      let count = rcx & mask
      if count == 0 { return op.next }
      if budget == 0 {
        budget = chunk
        pointee.executed &+= UInt64(chunk)
        if pointee.attention.pointee.load(ordering: .relaxed) != 0 || pointee.executed > pointee.stopAt {
          return again(op)
        }
      }
      budget -= 1
      guard let goesOn = element(mask) else { return faulted(op) }
      setAddress(8, count &- 1, mask)
      if !goesOn { return op.next }
    }
  }

  /// Leaves an instruction that is to be executed again.
  func again(_ op: UnsafePointer<Operation>) -> UnsafeRawPointer? {
    pointee.request = .again
    return faulted(op)
  }

  @inline(__always)
  func source<T: Width>(_ op: UnsafePointer<Operation>, _ mask: UInt64) -> T? {
    guard let linear = linear(Int(op.pointee.segment & 7), rsi & mask, count: T.byteCount, .read) else {
      return nil
    }
    return load(linear)
  }

  @inline(__always)
  func moveString<T: Width>(_: T.Type, _ op: UnsafePointer<Operation>) -> UnsafeRawPointer? {
    repeated(op, wholePages: { copyFast(op, T.byteCount) }) { mask in
      guard let value: T = source(op, mask), let to = linear(0, rdi & mask, count: T.byteCount, .write),
        store(to, value)
      else { return nil }
      let step = stride(T.byteCount)
      setAddress(48, rsi &+ step, mask)
      setAddress(56, rdi &+ step, mask)
      return true
    }
  }

  @inline(__always)
  func storeString<T: Width>(_: T.Type, _ op: UnsafePointer<Operation>) -> UnsafeRawPointer? {
    repeated(op, wholePages: { fillFast(op, get(0, as: T.self)) }) { mask in
      guard let to = linear(0, rdi & mask, count: T.byteCount, .write), store(to, get(0, as: T.self)) else {
        return nil
      }
      setAddress(56, rdi &+ stride(T.byteCount), mask)
      return true
    }
  }

  @inline(__always)
  func loadString<T: Width>(_: T.Type, _ op: UnsafePointer<Operation>) -> UnsafeRawPointer? {
    repeated(op) { mask in
      guard let value: T = source(op, mask) else { return nil }
      set(0, value)
      setAddress(48, rsi &+ stride(T.byteCount), mask)
      return true
    }
  }

  @inline(__always)
  func scanString<T: Width>(_: T.Type, _ op: UnsafePointer<Operation>) -> UnsafeRawPointer? {
    repeated(op) { mask in
      guard let from = linear(0, rdi & mask, count: T.byteCount, .read), let value = load(from, as: T.self)
      else {
        return nil
      }
      _ = Subtract.apply(self, get(0, as: T.self), value)
      setAddress(56, rdi &+ stride(T.byteCount), mask)
      return zeroFlag == (op.pointee.flags & Operation.repeatEqual != 0)
    }
  }

  @inline(__always)
  func compareString<T: Width>(_: T.Type, _ op: UnsafePointer<Operation>) -> UnsafeRawPointer? {
    repeated(op) { mask in
      guard let left: T = source(op, mask), let from = linear(0, rdi & mask, count: T.byteCount, .read),
        let right = load(from, as: T.self)
      else { return nil }
      _ = Subtract.apply(self, left, right)
      let step = stride(T.byteCount)
      setAddress(48, rsi &+ step, mask)
      setAddress(56, rdi &+ step, mask)
      return zeroFlag == (op.pointee.flags & Operation.repeatEqual != 0)
    }
  }

  // MARK: Whole pages at once

  /// Elements from a linear address to the end of its page; 0 unless the segment is flat.
  @inline(__always)
  private func elementsOnPage(_ linear: UInt64, _ segment: Int, _ size: Int) -> Int {
    guard pointee.mode.bits >> (ExecutionMode.checkedShift + UInt32(segment)) & 1 == 0 else { return 0 }
    return Int(0x1000 - (linear & 0xFFF)) / size
  }

  /// Does as much of a forward REP MOVS as lies on pages of RAM that both may be used without a look.
  private func copyFast(_ op: UnsafePointer<Operation>, _ size: Int) {
    guard pointee.systemFlags & Flag.direction == 0 else { return }
    let mask = addressMask(op)
    let segment = Int(op.pointee.segment & 7)
    while rcx & mask != 0 {
      guard pointee.attention.pointee.load(ordering: .relaxed) == 0 else { return }
      let (from, to) = (rsi & mask, rdi & mask)
      let fromBase = pointee.flatBase[segment]
      let count = min(
        elementsOnPage(from &+ fromBase, segment, size), elementsOnPage(to, 0, size),
        Int(truncatingIfNeeded: min(rcx & mask, 4096)))
      guard count > 0,
        mask == ~0 || from &+ UInt64(count * size) <= mask && to &+ UInt64(count * size) <= mask,
        let source = readableBytes(from &+ fromBase, count * size),
        let target = writableBytes(to, count * size)
      else { return }
      // Bytes that overlap ahead of the copy are copied again, which memmove does not do.
      let distance = UnsafeRawPointer(target) - source
      if distance > 0 && distance < count * size { return }
      target.copyMemory(from: source, byteCount: count * size)
      let bytes = UInt64(count * size)
      setAddress(48, rsi &+ bytes, mask)
      setAddress(56, rdi &+ bytes, mask)
      setAddress(8, (rcx & mask) &- UInt64(count), mask)
    }
  }

  /// Does as much of a forward REP STOS as lies on pages of RAM that may be written without a look.
  @inline(__always)
  private func fillFast<T: Width>(_ op: UnsafePointer<Operation>, _ value: T) {
    guard pointee.systemFlags & Flag.direction == 0 else { return }
    let mask = addressMask(op)
    while rcx & mask != 0 {
      guard pointee.attention.pointee.load(ordering: .relaxed) == 0 else { return }
      let to = rdi & mask
      let count = min(
        elementsOnPage(to, 0, T.byteCount), Int(truncatingIfNeeded: min(rcx & mask, 4096)))
      let byteCount = count * T.byteCount
      guard count > 0, mask == ~0 || to &+ UInt64(byteCount) <= mask,
        let target = writableBytes(to, byteCount)
      else { return }
      if T.bitWidth == 8 {
        target.initializeMemory(as: UInt8.self, repeating: UInt8(truncatingIfNeeded: value), count: byteCount)
      } else {
        for index in 0..<count { target.storeBytes(of: value, toByteOffset: index * T.byteCount, as: T.self) }
      }
      setAddress(56, rdi &+ UInt64(byteCount), mask)
      setAddress(8, (rcx & mask) &- UInt64(count), mask)
    }
  }
}

/// The handlers of the string instructions.
enum StringHandlers {
  static let movs = Sizes(
    { $0.processor.moveString(UInt8.self, $1.operation) },
    { $0.processor.moveString(UInt16.self, $1.operation) },
    { $0.processor.moveString(UInt32.self, $1.operation) },
    { $0.processor.moveString(UInt64.self, $1.operation) })
  static let stos = Sizes(
    { $0.processor.storeString(UInt8.self, $1.operation) },
    { $0.processor.storeString(UInt16.self, $1.operation) },
    { $0.processor.storeString(UInt32.self, $1.operation) },
    { $0.processor.storeString(UInt64.self, $1.operation) })
  static let lods = Sizes(
    { $0.processor.loadString(UInt8.self, $1.operation) },
    { $0.processor.loadString(UInt16.self, $1.operation) },
    { $0.processor.loadString(UInt32.self, $1.operation) },
    { $0.processor.loadString(UInt64.self, $1.operation) })
  static let scas = Sizes(
    { $0.processor.scanString(UInt8.self, $1.operation) },
    { $0.processor.scanString(UInt16.self, $1.operation) },
    { $0.processor.scanString(UInt32.self, $1.operation) },
    { $0.processor.scanString(UInt64.self, $1.operation) })
  static let cmps = Sizes(
    { $0.processor.compareString(UInt8.self, $1.operation) },
    { $0.processor.compareString(UInt16.self, $1.operation) },
    { $0.processor.compareString(UInt32.self, $1.operation) },
    { $0.processor.compareString(UInt64.self, $1.operation) })
}
