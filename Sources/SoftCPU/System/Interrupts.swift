// SPDX-License-Identifier: GPL-2.0-or-later

/// Where an interrupt or exception comes from.
enum EventSource {
  case exception
  /// INT n, INT3, INTO: the gate's privilege level counts.
  case software
  case external

  /// The EXT bit of error codes that arise on the way (SDM volume 3, section 6.13).
  var externalBit: UInt32 { self == .software ? 0 : 1 }
}

/// What delivery changes before it is certain to succeed.
struct DeliverySnapshot {
  let code: SegmentRegister
  let stack: SegmentRegister
  let rsp: UInt64
  let cpl: UInt8
  let flags: UInt64
}

extension UnsafeMutablePointer<Processor> {
  func snapshot() -> DeliverySnapshot {
    DeliverySnapshot(
      code: pointee.segments[1], stack: pointee.segments[2], rsp: rsp, cpl: pointee.cpl,
      flags: pointee.systemFlags)
  }

  func restore(_ snapshot: DeliverySnapshot) {
    pointee.segments[1] = snapshot.code
    pointee.segments[2] = snapshot.stack
    rsp = snapshot.rsp
    pointee.cpl = snapshot.cpl
    pointee.systemFlags = snapshot.flags
    updateMode()
  }

  /// Delivers the recorded exception, and what arises on the way, until one is delivered.
  /// - Returns: false if the processor shuts down: a triple fault.
  func deliverException() -> Bool {
    var vector = pointee.exceptionVector
    var code = pointee.exceptionErrorCode
    let isTrap = pointee.exceptionIsTrap
    while true {
      pointee.exceptionVector = 0xFF
      pointee.exceptionIsTrap = false
      pointee.isOutside = false
      pointee.interruptShadow = false
      let hasCode = Self.pushesErrorCode(vector)
      traceEvent(vector, hasCode ? code : nil)
      if deliver(
        vector, errorCode: hasCode ? code : nil, source: .exception,
        setsResume: !isTrap && vector != ExceptionVector.debug.rawValue)
      {
        return true
      }
      let second = pointee.exceptionVector
      if vector == ExceptionVector.doubleFault.rawValue { return false }
      if Self.makesDoubleFault(vector, second) {
        (vector, code) = (ExceptionVector.doubleFault.rawValue, 0)
      } else {
        (vector, code) = (second, pointee.exceptionErrorCode)
      }
    }
  }

  /// Delivers an interrupt from outside, or an exception that arises on the way.
  /// - Returns: false if the processor shuts down.
  func deliverInterrupt(_ vector: UInt8, source: EventSource) -> Bool {
    traceEvent(vector, nil)
    if deliver(vector, errorCode: nil, source: source, setsResume: false) { return true }
    return deliverException()
  }

  /// `-trace int`: each exception and interrupt with the registers before it.
  @inline(__always)
  private func traceEvent(_ vector: UInt8, _ errorCode: UInt32?) {
    pointee.owner._withUnsafeGuaranteedRef { if $0.interruptTrace.isOn { $0.trace(vector, errorCode) } }
  }

  static func pushesErrorCode(_ vector: UInt8) -> Bool {
    (1 << UInt32(vector) & 0x0022_7D00 as UInt32) != 0 && vector < 32
  }

  /// SDM volume 3, table 6-5.
  private static func makesDoubleFault(_ first: UInt8, _ second: UInt8) -> Bool {
    func isContributory(_ vector: UInt8) -> Bool { vector == 0 || vector >= 10 && vector <= 13 }
    return isContributory(first) && isContributory(second)
      || first == 14 && (isContributory(second) || second == 14)
  }

  // MARK: Through the vector table

  /// Starts the handler of a vector. The saved RIP is ``Processor/rip``.
  /// - Returns: false with an exception recorded and nothing changed.
  func deliver(_ vector: UInt8, errorCode: UInt32?, source: EventSource, setsResume: Bool) -> Bool {
    var flags = rflags
    if setsResume, isProtected { flags |= Flag.resume }
    guard isProtected else { return deliverReal(vector, flags, source) }
    let isLong = isLongModeActive
    let size: UInt32 = isLong ? 16 : 8
    let offset = UInt32(vector) * size
    let code = offset / size * 8 + 2 + source.externalBit
    guard offset + size - 1 <= pointee.idtLimit else { return raise(.generalProtection, code) }
    let address = pointee.idtBase &+ UInt64(offset)
    guard let low = loadSystem(address, as: UInt64.self) else { return false }
    var gate = Descriptor(raw: low)
    if isLong {
      guard let high = loadSystem(address &+ 8, as: UInt64.self) else { return false }
      gate.upperBase = high & 0xFFFF_FFFF
    }
    let isGate: Bool
    switch gate.type {
    case SystemDescriptorType.interruptGate, SystemDescriptorType.trapGate: isGate = !gate.isSegment
    case SystemDescriptorType.taskGate, SystemDescriptorType.interruptGate16, SystemDescriptorType.trapGate16:
      isGate = !gate.isSegment && !isLong
    default: isGate = false
    }
    guard isGate, source != .software || gate.dpl >= pointee.cpl else {
      return raise(.generalProtection, code)
    }
    guard gate.isPresent else { return raise(.segmentNotPresent, code) }
    if gate.type == SystemDescriptorType.taskGate {
      return switchTask(through: gate, source: source, errorCode: errorCode)
    }
    return isLong
      ? deliverLong(gate, flags, errorCode, source) : deliverProtected(gate, flags, errorCode, source)
  }

  private func deliverReal(_ vector: UInt8, _ flags: UInt64, _ source: EventSource) -> Bool {
    let offset = UInt32(vector) * 4
    guard offset + 3 <= pointee.idtLimit else {
      return raise(.generalProtection, UInt32(vector) * 8 + 2 + source.externalBit)
    }
    guard let entry = loadSystem(pointee.idtBase &+ UInt64(offset), as: UInt32.self) else { return false }
    let pointer = rsp
    guard push(UInt16(truncatingIfNeeded: flags)), push(pointee.segments[1].selector),
      push(UInt16(truncatingIfNeeded: pointee.rip))
    else {
      rsp = pointer
      return false
    }
    pointee.systemFlags &= ~(Flag.interrupt | Flag.trap | Flag.alignmentCheck | Flag.resume)
    let selector = UInt16(entry >> 16)
    pointee.segments[1].selector = selector
    pointee.segments[1].base = UInt64(selector) << 4
    pointee.rip = UInt64(entry & 0xFFFF)
    updateMode()
    return true
  }

  /// The code segment of a gate, checked.
  private func gateTarget(_ gate: Descriptor, _ source: EventSource) -> Descriptor? {
    let selector = gate.gateSelector
    guard selector & ~3 != 0 else {
      raise(.generalProtection, source.externalBit)
      return nil
    }
    let code = UInt32(selector & ~3) | source.externalBit
    guard let address = descriptorAddress(selector) else {
      raise(.generalProtection, code)
      return nil
    }
    guard let raw = loadSystem(address, as: UInt64.self) else { return nil }
    let target = Descriptor(raw: raw)
    guard target.isCode, target.dpl <= pointee.cpl else {
      raise(.generalProtection, code)
      return nil
    }
    guard target.isPresent else {
      raise(.segmentNotPresent, code)
      return nil
    }
    return target
  }

  /// IA-32 protected and virtual-8086 mode (SDM volume 3, section 6.12.1).
  private func deliverProtected(
    _ gate: Descriptor, _ flags: UInt64, _ errorCode: UInt32?, _ source: EventSource
  ) -> Bool {
    guard var target = gateTarget(gate, source) else { return false }
    let selector = gate.gateSelector
    let is32 = gate.type >= 8
    let from = snapshot()
    let wasVirtual = isVirtual8086
    let newLevel = target.isConforming ? pointee.cpl : target.dpl
    let isInner = newLevel < pointee.cpl
    if wasVirtual, newLevel != 0 {
      return raise(.generalProtection, UInt32(selector & ~3) | source.externalBit)
    }
    var stack = from.stack
    var pointer = rsp
    if isInner {
      guard let (newStack, newPointer) = innerStack(newLevel, externalBit: source.externalBit) else {
        return false
      }
      (stack, pointer) = (newStack, newPointer)
    }
    guard UInt32(truncatingIfNeeded: gate.gateOffset) & (is32 ? ~0 : 0xFFFF) <= target.limit else {
      return raise(.generalProtection, source.externalBit)
    }
    guard markAccessed(selector, &target) else { return false }
    // From here on the handler's segments are in place, so that pushes go where they belong.
    pointee.segments[1] = target.register(selector & ~3 | UInt16(newLevel))
    pointee.segments[2] = stack
    pointee.cpl = newLevel
    pointee.systemFlags &= ~Flag.virtual8086
    updateMode()
    rsp = pointer
    var isPushed = true
    func put(_ value: UInt64) {
      guard isPushed else { return }
      isPushed = is32 ? push(UInt32(truncatingIfNeeded: value)) : push(UInt16(truncatingIfNeeded: value))
    }
    if wasVirtual { for number in [5, 4, 3, 0] { put(UInt64(pointee.segments[number].selector)) } }
    if isInner {
      put(UInt64(from.stack.selector))
      put(from.rsp)
    }
    put(flags)
    put(UInt64(from.code.selector))
    put(pointee.rip)
    if let errorCode { put(UInt64(errorCode)) }
    guard isPushed else {
      restore(from)
      return false
    }
    if wasVirtual { for number in [0, 3, 4, 5] { pointee.segments[number] = .null(0) } }
    enterHandler(gate, at: gate.gateOffset & (is32 ? 0xFFFF_FFFF : 0xFFFF))
    return true
  }

  /// IA-32e mode (SDM volume 3, section 6.14).
  private func deliverLong(
    _ gate: Descriptor, _ flags: UInt64, _ errorCode: UInt32?, _ source: EventSource
  ) -> Bool {
    guard var target = gateTarget(gate, source) else { return false }
    let selector = gate.gateSelector
    guard target.isLong, !target.isBig else {
      return raise(.generalProtection, UInt32(selector & ~3) | source.externalBit)
    }
    guard isCanonical(gate.gateOffset) else { return raise(.generalProtection, source.externalBit) }
    let from = snapshot()
    let newLevel = target.isConforming ? pointee.cpl : target.dpl
    var pointer = rsp
    if gate.gateStack != 0 {
      guard let stack = longStack(0x24 + 8 * (gate.gateStack - 1)) else { return false }
      pointer = stack
    } else if newLevel < pointee.cpl {
      guard let stack = longStack(4 + 8 * UInt64(newLevel)) else { return false }
      pointer = stack
    }
    guard markAccessed(selector, &target) else { return false }
    pointee.segments[1] = target.register(selector & ~3 | UInt16(newLevel))
    if newLevel < from.cpl { pointee.segments[2] = .null(UInt16(newLevel), dpl: newLevel) }
    pointee.cpl = newLevel
    updateMode()
    rsp = pointer & ~15
    guard push(UInt64(from.stack.selector)), push(from.rsp), push(flags), push(UInt64(from.code.selector)),
      push(pointee.rip), errorCode.map({ push(UInt64($0)) }) ?? true
    else {
      restore(from)
      return false
    }
    enterHandler(gate, at: gate.gateOffset)
    return true
  }

  private func enterHandler(_ gate: Descriptor, at offset: UInt64) {
    pointee.systemFlags &= ~(Flag.trap | Flag.virtual8086 | Flag.resume | Flag.nestedTask)
    if gate.type & 1 == 0 { pointee.systemFlags &= ~Flag.interrupt }
    pointee.rip = offset
    updateMode()
  }

  /// A stack pointer of the task state segment in long mode; #TS if it is not there.
  func longStack(_ offset: UInt64) -> UInt64? {
    guard offset + 7 <= UInt64(pointee.tr.limit) else {
      raise(.invalidTSS, UInt32(pointee.tr.selector & ~3))
      return nil
    }
    guard let pointer = loadSystem(pointee.tr.base &+ offset, as: UInt64.self) else { return nil }
    guard isCanonical(pointer) else {
      raise(.stackFault)
      return nil
    }
    return pointer
  }

  /// The stack of an inner privilege level, from the task state segment (SDM volume 3, section 5.8.5).
  func innerStack(_ level: UInt8, externalBit: UInt32) -> (SegmentRegister, UInt64)? {
    let task = pointee.tr
    let is32 = task.type >= 8
    let offset = is32 ? 4 + UInt64(level) * 8 : 2 + UInt64(level) * 4
    guard offset + (is32 ? 5 : 3) <= UInt64(task.limit) else {
      raise(.invalidTSS, UInt32(task.selector & ~3) | externalBit)
      return nil
    }
    let pointer: UInt64
    let selector: UInt16
    if is32 {
      guard let low = loadSystem(task.base &+ offset, as: UInt32.self),
        let high = loadSystem(task.base &+ offset &+ 4, as: UInt16.self)
      else { return nil }
      (pointer, selector) = (UInt64(low), high)
    } else {
      guard let low = loadSystem(task.base &+ offset, as: UInt16.self),
        let high = loadSystem(task.base &+ offset &+ 2, as: UInt16.self)
      else { return nil }
      (pointer, selector) = (UInt64(low), high)
    }
    guard let stack = stackSegment(selector, level, externalBit: externalBit) else { return nil }
    return (stack, pointer)
  }

  /// A stack segment for a privilege level; #TS or #SS if it is none.
  func stackSegment(_ selector: UInt16, _ level: UInt8, externalBit: UInt32) -> SegmentRegister? {
    guard selector & ~3 != 0 else {
      raise(.invalidTSS, externalBit)
      return nil
    }
    let code = UInt32(selector & ~3) | externalBit
    guard let address = descriptorAddress(selector) else {
      raise(.invalidTSS, code)
      return nil
    }
    guard let raw = loadSystem(address, as: UInt64.self) else { return nil }
    var descriptor = Descriptor(raw: raw)
    guard UInt8(selector & 3) == level, descriptor.dpl == level, descriptor.isWritableData else {
      raise(.invalidTSS, code)
      return nil
    }
    guard descriptor.isPresent else {
      raise(.stackFault, code)
      return nil
    }
    guard markAccessed(selector, &descriptor) else { return nil }
    return descriptor.register(selector)
  }
}
