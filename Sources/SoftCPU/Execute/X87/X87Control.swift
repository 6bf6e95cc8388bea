// SPDX-License-Identifier: GPL-2.0-or-later

import CX87

/// Handlers of instructions on registers, the stack and the control and status words.
enum X87Control {
  static let changeSign: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isX87Ready() else { return cpu.faulted(operation) }
    cpu.noteX87(operation)
    if cpu.isEmpty(0) {
      if cpu.stackFault() { cpu.setIndefinite(0) }
    } else {
      cpu.clearC1()
      cpu.st(0).pointee.exponent ^= 0x8000
    }
    return operation.next
  }

  static let absolute: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isX87Ready() else { return cpu.faulted(operation) }
    cpu.noteX87(operation)
    if cpu.isEmpty(0) {
      if cpu.stackFault() { cpu.setIndefinite(0) }
    } else {
      cpu.clearC1()
      cpu.st(0).pointee.exponent &= 0x7FFF
    }
    return operation.next
  }

  static let exchange: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isX87Ready() else { return cpu.faulted(operation) }
    cpu.noteX87(operation)
    let index = operation.pointee.detail & 7
    if cpu.isEmpty(0) || cpu.isEmpty(index) {
      guard cpu.stackFault() else { return operation.next }
      if cpu.isEmpty(0) { cpu.setIndefinite(0) }
      if cpu.isEmpty(index) { cpu.setIndefinite(index) }
    }
    cpu.clearC1()
    let number = cpu.st(0).pointee
    cpu.st(0).pointee = cpu.st(index).pointee
    cpu.st(index).pointee = number
    return operation.next
  }

  /// FNOP.
  static let noOperation: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isX87Ready() else { return cpu.faulted(operation) }
    cpu.noteX87(operation)
    return operation.next
  }

  static let free: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isX87Ready() else { return cpu.faulted(operation) }
    cpu.noteX87(operation)
    cpu.clearC1()
    cpu.markEmpty(operation.pointee.detail & 7)
    return operation.next
  }

  /// FFREEP.
  static let freeAndPop: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isX87Ready() else { return cpu.faulted(operation) }
    cpu.noteX87(operation)
    cpu.clearC1()
    cpu.markEmpty(operation.pointee.detail & 7)
    cpu.pop()
    return operation.next
  }

  static let incrementTop: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isX87Ready() else { return cpu.faulted(operation) }
    cpu.noteX87(operation)
    cpu.clearC1()
    cpu.pointee.top = (cpu.pointee.top &+ 1) & 7
    return operation.next
  }

  static let decrementTop: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isX87Ready() else { return cpu.faulted(operation) }
    cpu.noteX87(operation)
    cpu.clearC1()
    cpu.pointee.top = (cpu.pointee.top &- 1) & 7
    return operation.next
  }

  /// FNCLEX.
  static let clearExceptions: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isX87Ready(waiting: false) else { return cpu.faulted(operation) }
    cpu.pointee.fsw &= StatusWord.codes
    return operation.next
  }

  /// FNINIT.
  static let initialize: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isX87Ready(waiting: false) else { return cpu.faulted(operation) }
    cpu.initializeX87()
    return operation.next
  }

  /// FENI, FDISI and FSETPM of earlier processors, which do nothing.
  static let obsolete: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isX87Ready(waiting: false) else { return cpu.faulted(operation) }
    return operation.next
  }

  /// FNSTSW AX.
  static let storeStatusInAX: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isX87Ready(waiting: false) else { return cpu.faulted(operation) }
    cpu.set(0, cpu.statusWord)
    return operation.next
  }

  /// FNSTSW m16.
  static let storeStatus: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isX87Ready(waiting: false), let linear = cpu.address(operation, count: 2, .write),
      cpu.store(linear, cpu.statusWord)
    else { return cpu.faulted(operation) }
    return operation.next
  }

  /// FNSTCW.
  static let storeControl: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isX87Ready(waiting: false), let linear = cpu.address(operation, count: 2, .write),
      cpu.store(linear, cpu.controlWord)
    else { return cpu.faulted(operation) }
    return operation.next
  }

  /// FLDCW.
  static let loadControl: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isX87Ready(), let linear = cpu.address(operation, count: 2, .read),
      let word = cpu.load(linear, as: UInt16.self)
    else { return cpu.faulted(operation) }
    cpu.controlWord = word
    cpu.summarizeExceptions()
    return operation.next
  }
}
