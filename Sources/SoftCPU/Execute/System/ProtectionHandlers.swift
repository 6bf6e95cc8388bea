// SPDX-License-Identifier: GPL-2.0-or-later

extension UnsafeMutablePointer<Processor> {
  /// Sets ZF and leaves the others.
  func setZero(_ zero: Bool) {
    let flags = arithmeticFlags
    arithmeticFlags = zero ? flags | Flag.zero : flags & ~Flag.zero
  }

  /// The descriptor of a selector if LAR, LSL, VERR or VERW may see it; `.some(nil)` if not, nil if looking
  /// raised an exception.
  fileprivate func visibleDescriptor(_ selector: UInt16) -> Descriptor?? {
    guard selector & ~3 != 0, let address = descriptorAddress(selector) else { return .some(nil) }
    guard let raw = loadSystem(address, as: UInt64.self) else { return nil }
    let descriptor = Descriptor(raw: raw)
    let isVisible =
      descriptor.isConforming || descriptor.dpl >= pointee.cpl && descriptor.dpl >= UInt8(selector & 3)
    return .some(isVisible ? descriptor : nil)
  }
}

/// LAR, or LSL with `limit`.
@inline(__always)
private func loadRights<T: Width>(
  limit: Bool, _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let selector = cpu.readRM(op, as: UInt16.self), let visible = cpu.visibleDescriptor(selector) else {
    return cpu.faulted(op)
  }
  guard let descriptor = visible else {
    cpu.setZero(false)
    return op.next
  }
  let isKind: Bool
  if descriptor.isSegment {
    isKind = true
  } else {
    let isLong = cpu.isLongModeActive
    switch descriptor.type {
    case SystemDescriptorType.ldt, SystemDescriptorType.availableTSS, SystemDescriptorType.busyTSS:
      isKind = true
    case SystemDescriptorType.availableTSS16, SystemDescriptorType.busyTSS16: isKind = !isLong
    case SystemDescriptorType.callGate: isKind = !limit
    case SystemDescriptorType.callGate16, SystemDescriptorType.taskGate: isKind = !limit && !isLong
    default: isKind = false
    }
  }
  if isKind {
    cpu.set(
      op.pointee.reg,
      limit
        ? T(truncatingIfNeeded: descriptor.limit) : T(truncatingIfNeeded: descriptor.raw >> 32 & 0xFF_FF00))
  }
  cpu.setZero(isKind)
  return op.next
}

/// BOUND.
@inline(__always)
private func checkBounds<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard let linear = cpu.address(op, count: 2 * T.byteCount, .read), let low = cpu.load(linear, as: T.self),
    let high = cpu.load(linear &+ UInt64(T.byteCount), as: T.self)
  else { return cpu.faulted(op) }
  let index = cpu.get(op.pointee.reg, as: T.self).signExtended
  guard index >= low.signExtended, index <= high.signExtended else {
    return cpu.fault(op, .boundRangeExceeded)
  }
  return op.next
}

/// The handlers of instructions that ask about rights.
enum ProtectionHandlers {
  static let lar = Sizes(
    { loadRights(limit: false, UInt16.self, $0, $1) }, { loadRights(limit: false, UInt32.self, $0, $1) },
    { loadRights(limit: false, UInt64.self, $0, $1) })
  static let lsl = Sizes(
    { loadRights(limit: true, UInt16.self, $0, $1) }, { loadRights(limit: true, UInt32.self, $0, $1) },
    { loadRights(limit: true, UInt64.self, $0, $1) })
  static let bound = Sizes(
    { checkBounds(UInt16.self, $0, $1) }, { checkBounds(UInt32.self, $0, $1) },
    { checkBounds(UInt64.self, $0, $1) })
  static let verr: Handler = { verify($0.processor, $1.operation) { $0.isData || $0.isReadableCode } }
  static let verw: Handler = { verify($0.processor, $1.operation) { $0.isWritableData } }
  static let arpl: Handler = {
    let (cpu, op) = ($0.processor, $1.operation)
    guard let target = cpu.readRM(op, as: UInt16.self) else { return cpu.faulted(op) }
    let level = cpu.get(op.pointee.reg, as: UInt16.self) & 3
    if target & 3 < level {
      guard cpu.writeRM(op, target & ~3 | level) else { return cpu.faulted(op) }
      cpu.setZero(true)
    } else {
      cpu.setZero(false)
    }
    return op.next
  }

  @inline(__always)
  private static func verify(
    _ cpu: CPU, _ op: UnsafePointer<Operation>, _ isAllowed: (Descriptor) -> Bool
  ) -> UnsafeRawPointer? {
    guard let selector = cpu.readRM(op, as: UInt16.self), let visible = cpu.visibleDescriptor(selector) else {
      return cpu.faulted(op)
    }
    cpu.setZero(visible.map(isAllowed) ?? false)
    return op.next
  }
}
