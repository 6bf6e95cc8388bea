// SPDX-License-Identifier: GPL-2.0-or-later

/// Finding and making the block for an address.
extension UnsafeMutablePointer<Processor> {
  /// The block at ``Processor/rip`` in the present mode, decoded if need be; nil if fetching its first
  /// instruction raises an exception, which is recorded.
  func findBlock() -> UnsafeMutablePointer<Block>? {
    let linear = codeLinear(pointee.rip)
    guard let entry = codeEntry(linear) else { return nil }
    guard let host = entry.pointee.host, let slot = entry.pointee.slot else { return decodeUncached(linear) }
    if let page = slot.pointee {
      var candidate = page.pointee.buckets[CodePage.bucket(linear & 0xFFF)]
      while let block = candidate {
        if block.pointee.rip == pointee.rip, isUsable(block), block.pointee.codeLimit == codeLimit {
          guard let second = block.pointee.secondPage else { return block }
          // The instruction ends on another page: is it still the same?
          guard let next = codeEntry(codeLinear(pointee.rip) & ~0xFFF &+ 0x1000) else { return nil }
          if next.pointee.host == second { return block }
        }
        candidate = block.pointee.nextInPage
      }
    }
    return decode(linear, host: host, slot: slot)
  }

  private var codeLimit: UInt32 { pointee.mode.isLong ? ~0 : pointee.segments[1].limit }

  private func codeLinear(_ rip: UInt64) -> UInt64 {
    pointee.mode.isLong ? rip : (rip &+ pointee.codeBase) & 0xFFFF_FFFF
  }

  /// The translation of an instruction fetch; nil with the exception recorded.
  private func codeEntry(_ linear: UInt64) -> UnsafeMutablePointer<CodeTLBEntry>? {
    let isUser = pointee.cpl == 3
    let set = pointee.owner._withUnsafeGuaranteedRef { $0.translations }
    let entry = set.code.entry(linear, isUser: isUser)
    if entry.pointee.page == linear & ~0xFFF { return entry }
    guard let translation = translate(linear, .execute, accessKind) else { return nil }
    var value = CodeTLBEntry()
    value.page = linear & ~0xFFF
    value.mask = translation.mask
    pointee.machine._withUnsafeGuaranteedRef { machine in
      guard let (host, range) = machine.physical.page(translation.physical), let pages = range.pointee.pages
      else {
        return
      }
      value.host = host
      let index = range.pointee.firstPage + Int((translation.physical & ~0xFFF) &- range.pointee.base) >> 12
      value.slot = pages._withUnsafeGuaranteedRef { $0.code + index }
    }
    set.code.fill(linear, isUser: isUser, value)
    return entry
  }

  /// Decodes a block from a page of RAM or ROM and keeps it.
  private func decode(
    _ linear: UInt64, host: UnsafeMutableRawPointer, slot: CodePageSlot
  ) -> UnsafeMutablePointer<Block>? {
    let machine = pointee.machine._withUnsafeGuaranteedRef { $0 }
    let offset = Int(linear & 0xFFF)
    let bytes = UnsafeRawPointer(host + offset).assumingMemoryBound(to: UInt8.self)
    var length = 0
    var count = decodeRun(bytes, available: 0x1000 - offset, machine.decoded, length: &length)
    var second: (host: UnsafeMutableRawPointer, slot: CodePageSlot)?
    if count == 0 {
      // The first instruction ends on the next page.
      let onFirst = 0x1000 - offset
      guard let next = codeEntry(linear & ~0xFFF &+ 0x1000) else { return nil }
      guard let nextHost = next.pointee.host, let nextSlot = next.pointee.slot else {
        return decodeUncached(linear)
      }
      machine.codeBytes.copyMemory(from: bytes, byteCount: onFirst)
      (machine.codeBytes + onFirst).copyMemory(from: nextHost, byteCount: 16)
      count = decodeRun(
        UnsafePointer(machine.codeBytes.assumingMemoryBound(to: UInt8.self)), available: onFirst + 16,
        machine.decoded, length: &length, maximum: 1)
      second = (nextHost, nextSlot)
    }
    guard let block = place(count, length: length, pageOffset: offset, machine) else { return nil }
    let page = machine.codePage(slot, host: host)
    let onPage = min(length, 0x1000 - offset)
    block.pointee.byteCount = UInt16(onPage)
    page.pointee.occupied |= CodePage.mask(offset: offset, count: onPage)
    if let second {
      let secondPage = machine.codePage(second.slot, host: second.host)
      secondPage.pointee.occupied |= CodePage.mask(offset: 0, count: length - onPage)
      // Blocks from several pages that reach into one are rare: the earlier ones are given up.
      if let other = secondPage.pointee.reachedFrom, other != slot {
        machine.codeChanged(other, offset: 0, count: 0x1000)
      }
      secondPage.pointee.reachedFrom = slot
      block.pointee.secondPage = second.host
    }
    let bucket = CodePage.bucket(UInt64(offset))
    block.pointee.isKept = true
    block.pointee.nextInPage = page.pointee.buckets[bucket]
    page.pointee.buckets[bucket] = block
    return block
  }

  /// Decodes one instruction from where no RAM is; it is not kept.
  private func decodeUncached(_ linear: UInt64) -> UnsafeMutablePointer<Block>? {
    let machine = pointee.machine._withUnsafeGuaranteedRef { $0 }
    var available = 0
    while available < Decoder.maximumLength {
      let address = linear &+ UInt64(available)
      guard let translation = translate(address, .execute, accessKind) else {
        if available == 0 { return nil }
        pointee.exceptionVector = 0xFF
        break
      }
      machine.codeBytes.storeBytes(
        of: readPhysical(translation.physical) as UInt8, toByteOffset: available, as: UInt8.self)
      available += 1
    }
    var length = 0
    let count = decodeRun(
      UnsafePointer(machine.codeBytes.assumingMemoryBound(to: UInt8.self)), available: available,
      machine.decoded,
      length: &length, maximum: 1)
    guard count > 0 else {
      // The instruction goes on where nothing can be fetched.
      _ = translate(linear &+ UInt64(available), .execute, accessKind)
      return nil
    }
    return place(count, length: length, pageOffset: 0, machine)
  }

  /// Decodes instructions that follow each other into `operations`.
  /// - Returns: how many; 0 if the first does not end in the bytes at hand.
  private func decodeRun(
    _ bytes: UnsafePointer<UInt8>, available: Int, _ operations: UnsafeMutablePointer<Operation>,
    length: inout Int, maximum: Int = Decoder.maximumCount
  ) -> Int {
    let mode = pointee.mode
    let maximum = mode.bits & ExecutionMode.single != 0 ? 1 : maximum
    let instructions = pointee.owner._withUnsafeGuaranteedRef { $0.cpuid.instructions }
    let limit = UInt64(codeLimit)
    var count = 0
    var ended = false
    length = 0
    while count < maximum, !ended, length < available {
      let rip = pointee.rip &+ UInt64(length)
      var decoder = Decoder(
        bytes: bytes + length, available: Swift.min(Decoder.maximumLength, available - length), mode: mode,
        instructions: instructions, rip: rip)
      decoder.decode()
      if decoder.isIncomplete { break }
      var operation = decoder.operation
      ended = decoder.endsBlock
      if !mode.isLong, rip &+ UInt64(operation.length) &- 1 > limit {
        operation.handler = MiscellaneousHandlers.tooLong
        ended = true
      }
      operation.offset = UInt16(length)
      operations[count] = operation
      count += 1
      length += Int(operation.length)
    }
    guard count > 0 else { return 0 }
    // Where execution goes on if no instruction says otherwise.
    let next = pointee.rip &+ UInt64(length)
    var end = Operation(handler: endOfBlock)
    end.immediate = mode.isLong ? next : next & (mode.isCode32 ? 0xFFFF_FFFF : 0xFFFF)
    end.offset = UInt16(length)
    end.remaining = 1
    operations[count] = end
    for index in 0..<count { operations[index].remaining = UInt8(count - index) }
    return count
  }

  /// Copies decoded operations to where they stay.
  private func place(
    _ count: Int, length: Int, pageOffset: Int, _ machine: SoftMachine
  ) -> UnsafeMutablePointer<Block>? {
    var memory = machine.arena.allocate(operationCount: count + 1)
    if memory == nil {
      machine.forgetAllCode()
      memory = machine.arena.allocate(operationCount: count + 1)
    }
    guard let block = memory else { return nil }
    block.initialize(
      to: Block(
        rip: pointee.rip, mode: pointee.mode, count: UInt32(count), codeBase: pointee.codeBase,
        codeLimit: codeLimit, pageOffset: UInt16(pageOffset), byteCount: UInt16(length)))
    block.operations.initialize(from: machine.decoded, count: count + 1)
    return block
  }
}

/// Goes on with the block that follows.
private let endOfBlock: Handler = { $0.processor.goOn($1.operation) }
