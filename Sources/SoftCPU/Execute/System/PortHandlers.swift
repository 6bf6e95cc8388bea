// SPDX-License-Identifier: GPL-2.0-or-later

extension UnsafeMutablePointer<Processor> {
  /// Whether the code at hand may use ports; notes breakpoints if so.
  func mayUsePort(_ port: UInt16, count: Int) -> Bool {
    guard isPermitted(port, count: count) else { return false }
    notePortBreakpoint(port, count)
    return true
  }

  /// Whether the code at hand may use ports: by IOPL, or by the bitmap of the task state segment (SDM
  /// volume 1, section 19.5).
  private func isPermitted(_ port: UInt16, count: Int) -> Bool {
    if !isProtected || pointee.cpl <= ioPrivilege && !isVirtual8086 { return true }
    guard pointee.tr.type >= 8, pointee.tr.limit >= 0x67,
      let base = loadSystem(pointee.tr.base &+ 0x66, as: UInt16.self)
    else { return pointee.exceptionVector == 0xFF ? raise(.generalProtection) : false }
    let offset = UInt32(base) + UInt32(port >> 3)
    guard offset + 1 <= pointee.tr.limit else { return raise(.generalProtection) }
    guard let bits = loadSystem(pointee.tr.base &+ UInt64(offset), as: UInt16.self) else { return false }
    let mask = ((1 as UInt16) << UInt16(count) - 1) << (port & 7)
    return bits & mask == 0 ? true : raise(.generalProtection)
  }
}

@inline(__always)
private func input<T: Width>(
  _: T.Type, _ port: UInt16, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard cpu.mayUsePort(port, count: T.byteCount) else { return cpu.faulted(op) }
  cpu.set(
    0, T(truncatingIfNeeded: cpu.pointee.owner._withUnsafeGuaranteedRef { $0.readPort(port, T.byteCount) }))
  return cpu.finished(op)
}

@inline(__always)
private func output<T: Width>(
  _: T.Type, _ port: UInt16, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  guard cpu.mayUsePort(port, count: T.byteCount) else { return cpu.faulted(op) }
  cpu.pointee.owner._withUnsafeGuaranteedRef {
    $0.writePort(port, UInt64(cpu.get(0, as: T.self)), T.byteCount)
  }
  return cpu.finished(op)
}

/// INS: the destination is looked at before the port is read.
@inline(__always)
private func inputString<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  let port = cpu.get(16, as: UInt16.self)
  guard cpu.mayUsePort(port, count: T.byteCount) else { return cpu.faulted(op) }
  let next = cpu.repeated(op) { mask in
    guard let linear = cpu.linear(0, cpu.rdi & mask, count: T.byteCount, .write),
      cpu.probeWrite(linear, T.byteCount),
      cpu.store(
        linear,
        T(truncatingIfNeeded: cpu.pointee.owner._withUnsafeGuaranteedRef { $0.readPort(port, T.byteCount) }))
    else { return nil }
    cpu.advance(56, by: T.byteCount, mask)
    return true
  }
  return next == nil ? nil : cpu.finished(op)
}

@inline(__always)
private func outputString<T: Width>(
  _: T.Type, _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer
) -> UnsafeRawPointer? {
  let (cpu, op) = (state.processor, raw.operation)
  let port = cpu.get(16, as: UInt16.self)
  guard cpu.mayUsePort(port, count: T.byteCount) else { return cpu.faulted(op) }
  let next = cpu.repeated(op) { mask in
    guard let value: T = cpu.source(op, mask) else { return nil }
    cpu.pointee.owner._withUnsafeGuaranteedRef { $0.writePort(port, UInt64(value), T.byteCount) }
    cpu.advance(48, by: T.byteCount, mask)
    return true
  }
  return next == nil ? nil : cpu.finished(op)
}

/// The handlers of port input and output; each ends its block, since a port may change anything.
enum PortHandlers {
  static let inImmediate = Sizes(
    { input(UInt8.self, UInt16(truncatingIfNeeded: $1.operation.pointee.immediate), $0, $1) },
    { input(UInt16.self, UInt16(truncatingIfNeeded: $1.operation.pointee.immediate), $0, $1) },
    { input(UInt32.self, UInt16(truncatingIfNeeded: $1.operation.pointee.immediate), $0, $1) }, noQuadword)
  static let outImmediate = Sizes(
    { output(UInt8.self, UInt16(truncatingIfNeeded: $1.operation.pointee.immediate), $0, $1) },
    { output(UInt16.self, UInt16(truncatingIfNeeded: $1.operation.pointee.immediate), $0, $1) },
    { output(UInt32.self, UInt16(truncatingIfNeeded: $1.operation.pointee.immediate), $0, $1) }, noQuadword)
  static let inDX = Sizes(
    { input(UInt8.self, $0.processor.get(16), $0, $1) }, { input(UInt16.self, $0.processor.get(16), $0, $1) },
    { input(UInt32.self, $0.processor.get(16), $0, $1) }, noQuadword)
  static let outDX = Sizes(
    { output(UInt8.self, $0.processor.get(16), $0, $1) },
    { output(UInt16.self, $0.processor.get(16), $0, $1) },
    { output(UInt32.self, $0.processor.get(16), $0, $1) }, noQuadword)
  static let ins = Sizes(
    { inputString(UInt8.self, $0, $1) }, { inputString(UInt16.self, $0, $1) },
    { inputString(UInt32.self, $0, $1) }, noQuadword)
  static let outs = Sizes(
    { outputString(UInt8.self, $0, $1) }, { outputString(UInt16.self, $0, $1) },
    { outputString(UInt32.self, $0, $1) }, noQuadword)

  private static let noQuadword: Handler = { $0.processor.fault($1.operation, .invalidOpcode) }
}
