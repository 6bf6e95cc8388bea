// SPDX-License-Identifier: GPL-2.0-or-later

/// Far jumps, calls and returns (SDM volume 3, sections 5.8 and 7.3).
extension UnsafeMutablePointer<Processor> {
  /// The code segment that a far jump or call leads to directly, checked.
  private func codeTarget(_ selector: UInt16, _ descriptor: Descriptor) -> Bool {
    let code = UInt32(selector & ~3)
    let isReachable =
      descriptor.isConforming
      ? descriptor.dpl <= pointee.cpl
      : UInt8(selector & 3) <= pointee.cpl && descriptor.dpl == pointee.cpl
    guard isReachable, !(isLongModeActive && descriptor.isLong && descriptor.isBig) else {
      return raise(.generalProtection, code)
    }
    return descriptor.isPresent ? true : raise(.segmentNotPresent, code)
  }

  private func isInside(_ descriptor: Descriptor, _ offset: UInt64) -> Bool {
    if isLongModeActive, descriptor.isLong {
      return isCanonical(offset) ? true : raise(.generalProtection)
    }
    return offset <= UInt64(descriptor.limit) ? true : raise(.generalProtection)
  }

  /// Loads CS outside protected mode.
  private func jumpReal(_ selector: UInt16, _ offset: UInt64) -> Bool {
    guard offset <= UInt64(pointee.segments[1].limit) else { return raise(.generalProtection) }
    if isVirtual8086 {
      pointee.segments[1] = .real(selector, dpl: 3)
    } else {
      pointee.segments[1].selector = selector
      pointee.segments[1].base = UInt64(selector) << 4
    }
    pointee.rip = offset
    updateMode()
    return true
  }

  /// JMP to another segment. `next` is RIP of the next instruction, for a task switch.
  func jumpFar(_ selector: UInt16, _ offset: UInt64, next: UInt64) -> Bool {
    guard isProtected, !isVirtual8086 else { return jumpReal(selector, offset) }
    guard selector & ~3 != 0 else { return raise(.generalProtection) }
    guard var descriptor = descriptor(selector) else { return false }
    if descriptor.isCode {
      guard codeTarget(selector, descriptor), isInside(descriptor, offset),
        markAccessed(selector, &descriptor)
      else { return false }
      pointee.segments[1] = descriptor.register(selector & ~3 | UInt16(pointee.cpl))
      pointee.rip = offset
      updateMode()
      return true
    }
    guard let gate = usableGate(selector, descriptor) else { return false }
    switch gate.type {
    case SystemDescriptorType.callGate16, SystemDescriptorType.callGate:
      guard let (target, address) = gateCode(gate) else { return false }
      guard target.isConforming || target.dpl == pointee.cpl else {
        return raise(.generalProtection, UInt32(gate.gateSelector & ~3))
      }
      var code = target
      guard markAccessed(gate.gateSelector, &code) else { return false }
      pointee.segments[1] = code.register(gate.gateSelector & ~3 | UInt16(pointee.cpl))
      pointee.rip = address
      updateMode()
      return true
    default:
      return switchTask(gate, selector: selector, kind: .jump, next: next)
    }
  }

  /// CALL to another segment.
  func callFar<T: Width>(_ selector: UInt16, _ offset: UInt64, next: UInt64, _: T.Type) -> Bool {
    let from = snapshot()
    guard isProtected, !isVirtual8086 else {
      guard push(T(from.code.selector)), push(T(truncatingIfNeeded: next)), jumpReal(selector, offset) else {
        rsp = from.rsp
        return false
      }
      return true
    }
    guard selector & ~3 != 0 else { return raise(.generalProtection) }
    guard var descriptor = descriptor(selector) else { return false }
    if descriptor.isCode {
      guard codeTarget(selector, descriptor), isInside(descriptor, offset) else { return false }
      guard push(T(from.code.selector)), push(T(truncatingIfNeeded: next)),
        markAccessed(selector, &descriptor)
      else {
        rsp = from.rsp
        return false
      }
      pointee.segments[1] = descriptor.register(selector & ~3 | UInt16(pointee.cpl))
      pointee.rip = offset
      updateMode()
      return true
    }
    guard let gate = usableGate(selector, descriptor) else { return false }
    switch gate.type {
    case SystemDescriptorType.callGate16, SystemDescriptorType.callGate:
      return callThroughGate(gate, next: next)
    default:
      return switchTask(gate, selector: selector, kind: .call, next: next)
    }
  }

  /// A gate or task state segment that the code at hand may use, with all its bytes.
  private func usableGate(_ selector: UInt16, _ descriptor: Descriptor) -> Descriptor? {
    let code = UInt32(selector & ~3)
    var isKind: Bool
    switch descriptor.type {
    case SystemDescriptorType.callGate: isKind = true
    case SystemDescriptorType.callGate16, SystemDescriptorType.taskGate, SystemDescriptorType.availableTSS16,
      SystemDescriptorType.availableTSS:
      isKind = !isLongModeActive
    default: isKind = false
    }
    if descriptor.isSegment { isKind = false }
    guard isKind, descriptor.dpl >= pointee.cpl, descriptor.dpl >= UInt8(selector & 3) else {
      raise(.generalProtection, code)
      return nil
    }
    guard descriptor.isPresent else {
      raise(.segmentNotPresent, code)
      return nil
    }
    return isLongModeActive ? systemDescriptor(selector) : descriptor
  }

  /// The code segment and offset of a call gate.
  private func gateCode(_ gate: Descriptor) -> (Descriptor, UInt64)? {
    let selector = gate.gateSelector
    guard selector & ~3 != 0 else {
      raise(.generalProtection)
      return nil
    }
    guard let target = descriptor(selector) else { return nil }
    let code = UInt32(selector & ~3)
    guard target.isCode, target.dpl <= pointee.cpl, !isLongModeActive || target.isLong && !target.isBig else {
      raise(.generalProtection, code)
      return nil
    }
    guard target.isPresent else {
      raise(.segmentNotPresent, code)
      return nil
    }
    let offset =
      gate.type == SystemDescriptorType.callGate16
      ? gate.gateOffset & 0xFFFF : isLongModeActive ? gate.gateOffset : gate.gateOffset & 0xFFFF_FFFF
    guard isInside(target, offset) else { return nil }
    return (target, offset)
  }

  private func callThroughGate(_ gate: Descriptor, next: UInt64) -> Bool {
    guard let (target, offset) = gateCode(gate) else { return false }
    let selector = gate.gateSelector
    let from = snapshot()
    let isLong = isLongModeActive
    let is16 = gate.type == SystemDescriptorType.callGate16
    func put(_ value: UInt64) -> Bool {
      isLong
        ? push(value)
        : is16 ? push(UInt16(truncatingIfNeeded: value)) : push(UInt32(truncatingIfNeeded: value))
    }
    var code = target
    guard markAccessed(selector, &code) else { return false }
    let isInner = !target.isConforming && target.dpl < pointee.cpl
    let level = isInner ? target.dpl : pointee.cpl
    var parameters: [UInt64] = []
    if isInner, !isLong {
      for index in 0..<gate.gateParameterCount {
        let size = is16 ? 2 : 4
        guard let linear = linear(2, (rsp &+ UInt64(index * size)) & stackMask, count: size, .read),
          let value = is16
            ? load(linear, as: UInt16.self).map(UInt64.init) : load(linear, as: UInt32.self).map(UInt64.init)
        else { return false }
        parameters.append(value)
      }
    }
    var pointer = rsp
    var stack = from.stack
    if isInner {
      if isLong {
        guard let newPointer = longStack(4 + 8 * UInt64(level)) else { return false }
        (stack, pointer) = (.null(UInt16(level), dpl: level), newPointer)
      } else {
        guard let (newStack, newPointer) = innerStack(level, externalBit: 0) else { return false }
        (stack, pointer) = (newStack, newPointer)
      }
    }
    pointee.segments[1] = code.register(selector & ~3 | UInt16(level))
    pointee.segments[2] = stack
    pointee.cpl = level
    updateMode()
    rsp = pointer
    var isPushed = true
    if isInner {
      isPushed = put(UInt64(from.stack.selector)) && put(from.rsp)
      for value in parameters.reversed() { isPushed = isPushed && put(value) }
    }
    guard isPushed, put(UInt64(from.code.selector)), put(next) else {
      restore(from)
      return false
    }
    pointee.rip = offset
    return true
  }

  // MARK: Returns

  /// RETF.
  func returnFar<T: Width>(dropping count: UInt64, _: T.Type) -> Bool {
    let size = UInt64(T.byteCount)
    guard let offset = peek(as: T.self), let slot = peek(at: size, as: T.self) else { return false }
    let selector = UInt16(truncatingIfNeeded: slot)
    guard isProtected, !isVirtual8086 else {
      guard jumpReal(selector, UInt64(offset)) else { return false }
      setStackPointer((rsp &+ 2 * size &+ count) & stackMask)
      return true
    }
    return returnToSegment(
      selector, UInt64(offset), size: size, at: 2 * size &+ count, dropping: count, isFlagsPopped: false,
      T.self)
  }

  /// IRET (SDM volume 2, IRET).
  /// - Parameter next: where a task that is left goes on when it is called again.
  func returnFromInterrupt<T: Width>(next: UInt64, _: T.Type) -> Bool {
    let size = UInt64(T.byteCount)
    if isProtected, !isVirtual8086, pointee.systemFlags & Flag.nestedTask != 0 {
      return isLongModeActive ? raise(.generalProtection) : returnFromTask(next: next)
    }
    guard let offset = peek(as: T.self), let slot = peek(at: size, as: T.self),
      let image = peek(at: 2 * size, as: T.self)
    else { return false }
    let selector = UInt16(truncatingIfNeeded: slot)
    if isVirtual8086, ioPrivilege < 3 { return raise(.generalProtection) }
    guard isProtected, !isVirtual8086 else {
      guard jumpReal(selector, UInt64(offset)) else { return false }
      setStackPointer((rsp &+ 3 * size) & stackMask)
      let changeable = isVirtual8086 ? ~(Flag.ioPrivilege) : ~0
      setFlags(
        UInt64(image), changeable: changeable & (T.bitWidth == 16 ? 0xFFFF : 0x0025_7FFF) & ~Flag.virtual8086)
      return true
    }
    if UInt64(image) & Flag.virtual8086 != 0, pointee.cpl == 0, !isLongModeActive, T.bitWidth == 32 {
      return returnToVirtual8086(offset: UInt64(offset), selector: selector, flags: UInt64(image))
    }
    return returnToSegment(
      selector, UInt64(offset), size: size, at: 3 * size, dropping: 0, isFlagsPopped: true, T.self)
  }

  /// The protected part of RETF and IRET: `stackOffset` is where an outer stack's pointer is.
  private func returnToSegment<T: Width>(
    _ selector: UInt16, _ offset: UInt64, size: UInt64, at stackOffset: UInt64, dropping: UInt64,
    isFlagsPopped: Bool,
    _: T.Type
  ) -> Bool {
    guard selector & ~3 != 0 else { return raise(.generalProtection) }
    guard var code = descriptor(selector) else { return false }
    let error = UInt32(selector & ~3)
    let level = UInt8(selector & 3)
    guard level >= pointee.cpl, code.isCode, code.isConforming ? code.dpl <= level : code.dpl == level,
      !(isLongModeActive && code.isLong && code.isBig)
    else { return raise(.generalProtection, error) }
    guard code.isPresent else { return raise(.segmentNotPresent, error) }
    guard isInside(code, offset) else { return false }
    let oldLevel = pointee.cpl
    let from64 = pointee.mode.isLong
    var stack = pointee.segments[2]
    var pointer = (rsp &+ stackOffset) & stackMask
    let mask: UInt64
    // 64-bit code's IRET always pops SS and RSP.
    if level > oldLevel || from64 && isFlagsPopped {
      guard let top = peek(at: stackOffset, as: T.self), let slot = peek(at: stackOffset &+ size, as: T.self)
      else {
        return false
      }
      let stackSelector = UInt16(truncatingIfNeeded: slot)
      let toLong = isLongModeActive && code.isLong
      if stackSelector & ~3 == 0, toLong, level != 3, UInt8(stackSelector & 3) == level {
        stack = .null(stackSelector, dpl: level)
      } else {
        guard stackSelector & ~3 != 0 else { return raise(.generalProtection) }
        guard var descriptor = descriptor(stackSelector) else { return false }
        let stackError = UInt32(stackSelector & ~3)
        guard UInt8(stackSelector & 3) == level, descriptor.isWritableData, descriptor.dpl == level else {
          return raise(.generalProtection, stackError)
        }
        guard descriptor.isPresent else { return raise(.stackFault, stackError) }
        guard markAccessed(stackSelector, &descriptor) else { return false }
        stack = descriptor.register(stackSelector)
      }
      mask = toLong ? ~0 : stack.isBig ? 0xFFFF_FFFF : 0xFFFF
      pointer = UInt64(top) &+ dropping
    } else {
      mask = stackMask
    }
    let image: UInt64
    if isFlagsPopped {
      guard let value = peek(at: 2 * size, as: T.self) else { return false }
      image = UInt64(value)
    } else {
      image = 0
    }
    guard markAccessed(selector, &code) else { return false }
    if isFlagsPopped {
      var changeable: UInt64 = T.bitWidth == 16 ? 0x4DD5 : 0x0025_4DD5
      changeable |= Flag.trap
      if oldLevel == 0 {
        changeable |=
          Flag.ioPrivilege | (T.bitWidth == 16 ? 0 : Flag.virtualInterrupt | Flag.virtualInterruptPending)
      }
      if oldLevel <= ioPrivilege { changeable |= Flag.interrupt }
      setFlags(image, changeable: changeable)
    }
    pointee.segments[1] = code.register(selector)
    pointee.segments[2] = stack
    pointee.cpl = level
    pointee.rip = offset
    if level > oldLevel { dropInnerSegments(level) }
    updateMode()
    rsp = mask == 0xFFFF ? rsp & ~0xFFFF | pointer & mask : pointer & mask
    return true
  }

  /// Data segments that outer code may not use become null (SDM volume 3, section 5.8.6).
  func dropInnerSegments(_ level: UInt8) {
    for number in [0, 3, 4, 5] {
      let segment = pointee.segments[number]
      let isConformingCode = segment.type & 12 == 12
      if segment.isUsable, !isConformingCode, segment.dpl < level { pointee.segments[number] = .null(0) }
    }
  }

  private func returnToVirtual8086(offset: UInt64, selector: UInt16, flags: UInt64) -> Bool {
    var slots = InlineArray<6, UInt32>(repeating: 0)
    for index in 0..<6 {
      guard let value = peek(at: 12 + UInt64(index) * 4, as: UInt32.self) else { return false }
      slots[index] = value
    }
    setFlags(flags, changeable: 0x003F_7FD5)
    pointee.systemFlags |= Flag.virtual8086
    pointee.cpl = 3
    pointee.segments[1] = .real(selector, dpl: 3)
    pointee.segments[2] = .real(UInt16(truncatingIfNeeded: slots[1]), dpl: 3)
    for (index, number) in [(2, 0), (3, 3), (4, 4), (5, 5)] {
      pointee.segments[number] = .real(UInt16(truncatingIfNeeded: slots[index]), dpl: 3)
    }
    rsp = UInt64(slots[0])
    pointee.rip = offset & 0xFFFF
    updateMode()
    return true
  }

  // MARK: Flags

  /// Changes the flags in `changeable` to those of `image`.
  func setFlags(_ image: UInt64, changeable: UInt64) {
    arithmeticFlags = image & changeable & Flag.arithmetic | arithmeticFlags & ~changeable
    let system = changeable & ~Flag.arithmetic & 0x003F_7700
    pointee.systemFlags = pointee.systemFlags & ~system | image & system | 2
    updateTranslations()
  }
}
