// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CKVM
import CPU
import Glibc
import GuestMemory
import TestSupport

@testable import GuestSupport
@testable import KVM
@testable import SoftCPU

/// Where the streams' code, handlers and tables are in the RAM of a ``SteppedGuest``.
enum StreamLayout {
  static let code = 0x5000
  /// Of the vectors, four bytes apart.
  static let handlers = 0x6000
  static let gdt = 0x8000
  static let idt = 0x8800
  static let tss = 0x9800
  static let pageTables = 0xA000
  /// Memory that the instructions use: data, stack and another segment of 64 KiB each.
  static let data = 0x10000
  static let stack = 0x20000
  static let extra = 0x30000
  static let end = 0x40000
  static let codeSelector: UInt16 = 0x08
}

/// A guest without devices that executes an instruction at a time.
final class SteppedGuest {
  enum Outcome: Equatable {
    case done
    /// KVM's interpreter does not know the instruction.
    case refused
    case shutdown
    case other(UInt32)
  }

  let board: GuestBoard
  private let kvm: KVMVirtualCPU?
  private let soft: SoftVirtualCPU?

  init(on engine: GuestEngine) throws {
    board = try GuestBoard("nowhere", on: engine)
    kvm = board.cpus[0] as? KVMVirtualCPU
    soft = board.cpus[0] as? SoftVirtualCPU
    if let kvm {
      // The memory slots are made by the run loop: once in, and out again.
      kvm.kick()
      _ = kvm.run()
    }
  }

  var memory: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: board.ram.allBytes[0..<StreamLayout.end])
  }

  func load(_ state: CPUState) throws {
    try board.cpus[0].setRegisters(state)
    if let kvm {
      var debug = kvm_guest_debug()
      debug.control = UInt32(KVM_GUESTDBG_ENABLE) | UInt32(KVM_GUESTDBG_SINGLESTEP)
      try request(kvm.descriptor, martlet_KVM_SET_GUEST_DEBUG, &debug, "step a vCPU")
    }
  }

  /// The registers that tell what is being executed, and with the soft engine the rest.
  func registers() throws -> CPUState {
    if let kvm { return try kvm.executionState() }
    return try board.cpus[0].registers()
  }

  /// Tells the engine that the test has written to memory.
  func memoryChanged() { board.lock.withLock { board.ram.onDeviceWrite?(0, StreamLayout.end) } }

  /// Makes the flags what another processor made them, where they are undefined.
  func setFlags(_ flags: UInt64) { soft?.cpu.arithmeticFlags = flags }

  func step() -> Outcome {
    if let soft {
      return switch soft.step() {
      case nil: .done
      case .shutdown: .shutdown
      default: .other(0)
      }
    }
    guard let kvm else { return .other(0) }
    while true {
      let result = martlet_kvm_run(kvm.descriptor)
      if result == -EINTR || result == -EAGAIN { continue }
      guard result == 0 else { return .other(UInt32(bitPattern: result)) }
      switch Int32(bitPattern: kvm.control.run.pointee.exit_reason) {
      case KVM_EXIT_DEBUG: return .done
      // An access to where no memory is would have to be done here.
      case KVM_EXIT_INTERNAL_ERROR, KVM_EXIT_MMIO: return .refused
      case KVM_EXIT_SHUTDOWN: return .shutdown
      default: return .other(kvm.control.run.pointee.exit_reason)
      }
    }
  }
}

/// The state in which a mode's streams begin.
struct StreamStart {
  let mode: StreamMode

  /// Fills the tables.
  func fill(_ memory: UnsafeMutableRawBufferPointer) {
    func word(_ place: Int, _ value: UInt64) {
      memory.storeBytes(of: value, toByteOffset: place, as: UInt64.self)
    }
    // Each handler is a NOP, and what is behind it is never executed.
    for vector in 0..<256 {
      let handler = UInt64(StreamLayout.handlers + vector * 4)
      memory[StreamLayout.handlers + vector * 4] = 0x90
      switch mode {
      case .real:
        memory.storeBytes(of: UInt32(handler), toByteOffset: vector * 4, as: UInt32.self)
      case .protected16, .protected32:
        if vector < 64 { word(StreamLayout.idt + vector * 8, handler | 0x18 << 16 | 0x8E00 << 32) }
      case .long:
        if vector < 64 { word(StreamLayout.idt + vector * 16, handler | 0x08 << 16 | 0x8E00 << 32) }
      }
    }
    // Code of the mode, data, 32-bit code for handlers, a stack, a small segment, a read-only one, one that is missing,
    // a task state segment.
    let code: UInt64 =
      switch mode {
      case .real, .protected16: 0x0000_9B00_0000_FFFF
      case .protected32: 0x00CF_9B00_0000_FFFF
      case .long: 0x0020_9B00_0000_0000
      }
    let big: UInt64 = mode == .protected16 ? 0 : 0x0040 << 48
    for (number, descriptor) in [
      0, code, 0x0000_9301_0000_FFFF | big, 0x00CF_9B00_0000_FFFF, 0x0000_9302_0000_FFFF | big,
      0x0000_9301_0000_0FFF | big, 0x0000_9101_0000_FFFF | big, 0x0000_1301_0000_FFFF | big,
      0x0000_8900_9800_0067, 0,
    ].enumerated() as EnumeratedSequence<[UInt64]> { word(StreamLayout.gdt + number * 8, descriptor) }
    guard mode == .long else { return }
    word(StreamLayout.pageTables, UInt64(StreamLayout.pageTables) + 0x1003)
    word(StreamLayout.pageTables + 0x1000, UInt64(StreamLayout.pageTables) + 0x2003)
    word(StreamLayout.pageTables + 0x2000, UInt64(StreamLayout.pageTables) + 0x3003)
    // Pages up to the end of the memory, A and D set.
    for page in 0..<StreamLayout.end >> 12 {
      word(StreamLayout.pageTables + 0x3000 + page * 8, UInt64(page << 12) | 0x63)
    }
  }

  /// The registers of a stream.
  func registers(_ reset: CPUState, _ random: inout SeededGenerator) -> CPUState {
    var state = reset
    state.activity = .running
    func segment(_ selector: UInt16, _ base: UInt64, _ limit: UInt32, _ attributes: UInt16) -> SegmentState {
      var segment = SegmentState()
      (segment.selector, segment.base, segment.limit, segment.attributes) = (
        selector, base, limit, attributes
      )
      return segment
    }
    (state.gdtr.base, state.gdtr.limit) = (UInt64(StreamLayout.gdt), 0x4F)
    (state.idtr.base, state.idtr.limit) = (UInt64(StreamLayout.idt), mode == .long ? 0x3FF : 0x1FF)
    state.tr = segment(0x40, UInt64(StreamLayout.tss), 0x67, 0x8B)
    state.ldtr = segment(0, 0, 0, 0x1000)
    let (data, stack, extra) = (
      UInt64(StreamLayout.data), UInt64(StreamLayout.stack), UInt64(StreamLayout.extra)
    )
    let big: UInt16 = mode == .protected16 ? 0 : 0x400
    switch mode {
    case .real:
      (state.idtr.base, state.idtr.limit) = (0, 0x3FF)
      state.tr = reset.tr
      state.ldtr = reset.ldtr
      state.segments = [
        segment(0x3000, extra, 0xFFFF, 0x93), segment(0, 0, 0xFFFF, 0x9B),
        segment(0x2000, stack, 0xFFFF, 0x93),
        segment(0x1000, data, 0xFFFF, 0x93), segment(0x1000, data, 0xFFFF, 0x93),
        segment(0x3000, extra, 0xFFFF, 0x93),
      ]
      state.cr0 = 0x10
    case .protected16, .protected32:
      let code =
        mode == .protected16
        ? segment(0x08, 0, 0xFFFF, 0x9B) : segment(0x08, 0, 0xFFFF_FFFF, 0xC9B)
      state.segments = [
        segment(0x10, data, 0xFFFF, 0x93 | big), code, segment(0x20, stack, 0xFFFF, 0x93 | big),
        segment(0x10, data, 0xFFFF, 0x93 | big), segment(0x28, data, 0xFFF, 0x93 | big),
        segment(0x30, data, 0xFFFF, 0x91 | big),
      ]
      state.cr0 = 0x11
    case .long:
      state.segments = Array(repeating: segment(0x10, 0, 0xFFFF_FFFF, 0xC93), count: 6)
      state.segments[1] = segment(0x08, 0, 0xFFFF_FFFF, 0xA9B)
      state.segments[4].base = data
      state.segments[5].base = extra
      (state.cr0, state.cr3, state.cr4) = (0x8000_0011, UInt64(StreamLayout.pageTables), 0x20)
      state.efer = 0x500
    }
    for register in 0..<16 {
      var value = random.next()
      switch Int.random(in: 0..<8, using: &random) {
      case 0: break
      case 1: value &= 15
      case 2: value = ~0 &- value & 15
      case 3: value &= 0xFFFF_FFFF
      default: value = value & 0x7FFF + (mode == .long ? 0x10000 : 0)
      }
      state.general[register] = mode == .long ? value : value & 0xFFFF_FFFF
    }
    state.general[4] = mode == .long ? stack + 0x8000 : 0x7000
    if Bool.random(using: &random) { state.general[1] &= 31 }
    state.rip = UInt64(StreamLayout.code)
    state.rflags = random.next() & (InstructionStream.arithmetic | 0x400) | 2
    return state
  }
}
