// SPDX-License-Identifier: GPL-2.0-or-later

/// What switches tasks.
enum TaskSwitchKind {
  case jump
  case call
  case interrupt
  case returnFromTask
}

/// Offsets in a task state segment (SDM volume 3, figures 7-2 and 7-10).
private struct TaskLayout {
  let is32: Bool
  /// What is saved: EIP, EFLAGS, eight registers, then the selectors.
  var instructionPointer: UInt64 { is32 ? 0x20 : 0x0E }
  var size: UInt64 { is32 ? 4 : 2 }
  var segments: UInt64 { is32 ? 0x48 : 0x22 }
  var segmentCount: Int { is32 ? 6 : 4 }
  var ldt: UInt64 { is32 ? 0x60 : 0x2A }
  var byteCount: UInt32 { is32 ? 0x67 : 0x2B }
}

extension UnsafeMutablePointer<Processor> {
  /// Switches to the task of a gate in the IDT, and pushes an error code there.
  func switchTask(through gate: Descriptor, source: EventSource, errorCode: UInt32?) -> Bool {
    guard let descriptor = taskDescriptor(gate.gateSelector, externalBit: source.externalBit) else {
      return false
    }
    guard switchTask(to: descriptor, gate.gateSelector, .interrupt, next: pointee.rip) else { return false }
    guard let errorCode else { return true }
    return pointee.tr.type >= 8 ? push(errorCode) : push(UInt16(truncatingIfNeeded: errorCode))
  }

  /// JMP or CALL to a task gate or a task state segment.
  func switchTask(_ descriptor: Descriptor, selector: UInt16, kind: TaskSwitchKind, next: UInt64) -> Bool {
    guard descriptor.type == SystemDescriptorType.taskGate else {
      return switchTask(to: descriptor, selector, kind, next: next)
    }
    guard let target = taskDescriptor(descriptor.gateSelector, externalBit: 0) else { return false }
    return switchTask(to: target, descriptor.gateSelector, kind, next: next)
  }

  /// IRET with RFLAGS.NT: back to the task that called.
  func returnFromTask(next: UInt64) -> Bool {
    guard let selector = loadSystem(pointee.tr.base, as: UInt16.self) else { return false }
    let code = UInt32(selector & ~3)
    guard selector & 4 == 0, selector & ~3 != 0 else { return raise(.invalidTSS, code) }
    guard let descriptor = descriptor(selector, orRaise: .invalidTSS) else { return false }
    guard !descriptor.isSegment,
      descriptor.type == SystemDescriptorType.busyTSS || descriptor.type == SystemDescriptorType.busyTSS16
    else { return raise(.invalidTSS, code) }
    guard descriptor.isPresent else { return raise(.segmentNotPresent, code) }
    return switchTask(to: descriptor, selector, .returnFromTask, next: next)
  }

  /// An available task state segment in the GDT.
  private func taskDescriptor(_ selector: UInt16, externalBit: UInt32) -> Descriptor? {
    let code = UInt32(selector & ~3) | externalBit
    guard selector & 4 == 0, selector & ~3 != 0, let address = descriptorAddress(selector) else {
      raise(.generalProtection, code)
      return nil
    }
    guard let raw = loadSystem(address, as: UInt64.self) else { return nil }
    let descriptor = Descriptor(raw: raw)
    guard !descriptor.isSegment,
      descriptor.type == SystemDescriptorType.availableTSS
        || descriptor.type == SystemDescriptorType.availableTSS16
    else {
      raise(.generalProtection, code)
      return nil
    }
    guard descriptor.isPresent else {
      raise(.segmentNotPresent, code)
      return nil
    }
    return descriptor
  }

  /// The switch itself (SDM volume 3, section 7.3).
  private func switchTask(to target: Descriptor, _ selector: UInt16, _ kind: TaskSwitchKind, next: UInt64)
    -> Bool
  {
    let (old, new) = (TaskLayout(is32: pointee.tr.type >= 8), TaskLayout(is32: target.type >= 8))
    guard target.limit >= new.byteCount else { return raise(.invalidTSS, UInt32(selector & ~3)) }
    guard pointee.tr.limit >= old.byteCount else {
      return raise(.invalidTSS, UInt32(pointee.tr.selector & ~3))
    }
    let oldSelector = pointee.tr.selector

    func read(_ offset: UInt64, _ layout: TaskLayout, _ base: UInt64) -> UInt64? {
      layout.is32
        ? loadSystem(base &+ offset, as: UInt32.self).map(UInt64.init)
        : loadSystem(base &+ offset, as: UInt16.self).map(UInt64.init)
    }
    // What is to come is read before anything is changed.
    var image = InlineArray<10, UInt64>(repeating: 0)
    for index in 0..<10 {
      guard let value = read(new.instructionPointer + UInt64(index) * new.size, new, target.base) else {
        return false
      }
      image[index] = value
    }
    var selectors = InlineArray<6, UInt16>(repeating: 0)
    for index in 0..<new.segmentCount {
      guard let value = loadSystem(target.base &+ new.segments &+ UInt64(index) * new.size, as: UInt16.self)
      else {
        return false
      }
      selectors[index] = value
    }
    guard let ldtSelector = loadSystem(target.base &+ new.ldt, as: UInt16.self) else { return false }
    var newCR3: UInt32?
    if new.is32, pointee.cr0 & ControlRegister0.paging != 0 {
      guard let value = loadSystem(target.base &+ 0x1C, as: UInt32.self) else { return false }
      newCR3 = value
    }

    // Leave the old task.
    var flags = rflags
    if kind == .returnFromTask { flags &= ~Flag.nestedTask }
    func write(_ offset: UInt64, _ value: UInt64) -> Bool {
      old.is32
        ? storeSystem(pointee.tr.base &+ offset, UInt32(truncatingIfNeeded: value))
        : storeSystem(pointee.tr.base &+ offset, UInt16(truncatingIfNeeded: value))
    }
    guard write(old.instructionPointer, next), write(old.instructionPointer + old.size, flags) else {
      return false
    }
    for register in 0..<8 as Range<UInt8> {
      guard
        write(old.instructionPointer + UInt64(register + 2) * old.size, get(register * 8, as: UInt64.self))
      else {
        return false
      }
    }
    for number in 0..<old.segmentCount {
      guard
        storeSystem(
          pointee.tr.base &+ old.segments &+ UInt64(number) * old.size, pointee.segments[number].selector)
      else { return false }
    }
    if kind == .jump || kind == .returnFromTask { guard setBusy(oldSelector, false) else { return false } }
    if kind == .call || kind == .interrupt {
      guard storeSystem(target.base, oldSelector) else { return false }
    }
    if kind != .returnFromTask { guard setBusy(selector, true) else { return false } }

    // Enter the new one: from here on faults are its own.
    pointee.tr = target.register(selector)
    pointee.tr.attributes |= 2
    pointee.cr0 |= ControlRegister0.taskSwitched
    var hasTables = true
    if let newCR3 { hasTables = setCR3(UInt64(newCR3)) }
    pointee.rip = image[0]
    var newFlags = image[1]
    if kind == .call || kind == .interrupt { newFlags |= Flag.nestedTask }
    setFlags(newFlags, changeable: new.is32 ? 0x003F_7FD5 : 0x7FD5)
    pointee.systemFlags =
      pointee.systemFlags & ~Flag.virtual8086 | (new.is32 ? newFlags & Flag.virtual8086 : 0)
    for register in 0..<8 { set(UInt8(register * 8), image[register + 2] & 0xFFFF_FFFF) }
    guard hasTables, loadTaskSegments(selectors, new.segmentCount, ldtSelector) else { return false }
    // The debug trap flag of the new task.
    if new.is32, kind != .interrupt, let trap = loadSystem(target.base &+ 0x64, as: UInt16.self),
      trap & 1 != 0
    {
      pointee.debug[4] |= 1 << 15
      raise(.debug)
      pointee.exceptionIsTrap = true
    }
    return true
  }

  private func setBusy(_ selector: UInt16, _ isBusy: Bool) -> Bool {
    guard let address = descriptorAddress(selector), let byte = loadSystem(address &+ 5, as: UInt8.self)
    else {
      return false
    }
    return storeSystem(address &+ 5, isBusy ? byte | 2 : byte & ~2)
  }

  /// Loads LDTR and the segment registers of the new task.
  private func loadTaskSegments(_ selectors: InlineArray<6, UInt16>, _ count: Int, _ ldtSelector: UInt16)
    -> Bool
  {
    for number in 0..<6 { pointee.segments[number] = .null(selectors[number]) }
    pointee.ldtr = .null(ldtSelector)
    if ldtSelector & ~3 != 0 {
      let code = UInt32(ldtSelector & ~3)
      guard ldtSelector & 4 == 0 else { return raise(.invalidTSS, code) }
      guard let descriptor = descriptor(ldtSelector, orRaise: .invalidTSS) else { return false }
      guard !descriptor.isSegment, descriptor.type == SystemDescriptorType.ldt, descriptor.isPresent else {
        return raise(.invalidTSS, code)
      }
      pointee.ldtr = descriptor.register(ldtSelector)
    }
    if isVirtual8086 {
      pointee.cpl = 3
      for number in 0..<6 { pointee.segments[number] = .real(selectors[number], dpl: 3) }
      updateMode()
      return true
    }
    let selector = selectors[1]
    let code = UInt32(selector & ~3)
    guard selector & ~3 != 0, var descriptor = descriptor(selector, orRaise: .invalidTSS) else {
      return raise(.invalidTSS, code)
    }
    let level = UInt8(selector & 3)
    guard descriptor.isCode, descriptor.isConforming ? descriptor.dpl <= level : descriptor.dpl == level
    else {
      return raise(.invalidTSS, code)
    }
    guard descriptor.isPresent else { return raise(.segmentNotPresent, code) }
    guard markAccessed(selector, &descriptor) else { return false }
    pointee.segments[1] = descriptor.register(selector)
    pointee.cpl = level
    guard let stack = stackSegment(selectors[2], level, externalBit: 0) else { return false }
    pointee.segments[2] = stack
    updateMode()
    for number in [0, 3, 4, 5] where number < count {
      guard loadSegment(number, selectors[number]) else {
        if pointee.exceptionVector == ExceptionVector.generalProtection.rawValue {
          pointee.exceptionVector = ExceptionVector.invalidTSS.rawValue
        }
        return false
      }
    }
    return true
  }
}
