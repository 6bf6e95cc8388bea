// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CNativeExecutor
import CPU
import EventLoop
import Glibc
import GuestMemory
import InstructionTorture

@testable import SoftCPU

/// Our engine: a virtual CPU with page tables that map what the native child has, and an interrupt descriptor
/// table whose handlers halt.
final class SoftExecutor: InstructionExecutor {
  /// Physical addresses of the structures; `kernel` is where they are in linear memory.
  private enum Layout {
    static let pml4 = 0x1000
    static let lowDirectoryPointers = 0x2000
    static let lowDirectory = 0x3000
    static let codeTable = 0x4000
    static let dataTable = 0x5000
    static let highDirectoryPointers = 0x6000
    static let highDirectory = 0x7000
    static let gdt = 0x8000
    static let idt = 0x9000
    static let tss = 0xA000
    /// 16 bytes for each vector, beginning with HLT.
    static let handlers = 0xB000
    static let stackTop = 0xD000
    static let code = 0x10000
    static let data = 0x20000
    static let end = 0x20_0000
    static let kernel: UInt64 = 0xFFFF_FFFF_8000_0000
  }

  private let ram: RAMBlock
  private let machine: SoftMachine
  private let virtualCPU: SoftVirtualCPU
  private let pages: BlockPages
  private let contents: [UInt8]
  private let codeSegments: (long: SegmentRegister, compatibility: SegmentRegister)
  private let dataSegment: SegmentRegister
  private let nullSegment = SegmentRegister(
    selector: 0, attributes: SegmentRegister.unusable, limit: 0, base: 0)
  /// What of the code page is not int3.
  private var lastCode: Range<Int> = 0..<0

  /// An executor whose scratch memory has `contents` before each case.
  init(contents: [UInt8]) throws {
    self.contents = contents
    ram = try RAMBlock(name: "torture.ram", byteCount: Layout.end)
    let bus = SystemBus(lock: MachineLock())
    bus.memory.add(
      MemoryRegion(
        name: "ram", base: GuestAddress(UInt64(0)), count: UInt64(Layout.end), backing: .ram(ram, offset: 0)))
    machine = SoftMachine(bus: bus)
    bus.memory.addListener(machine)
    let topology = CPUTopology()
    virtualCPU = SoftVirtualCPU(
      index: 0, cpuid: try SoftCPUID(CPUModelRequest(model: "max"), topology: topology, index: 0),
      localAPIC: NoLocalAPIC(), machine: machine, clock: SteppedClock(), scheduler: SoftScheduler())
    machine.owners.append(virtualCPU)
    machine.changes.isMapNew = true
    machine.takeOverMemoryChanges()
    pages = machine.physical.pages(of: ram)
    func segment(_ selector: UInt16, _ attributes: UInt16) -> SegmentRegister {
      SegmentRegister(selector: selector, attributes: attributes, limit: 0xFFFF_FFFF, base: 0)
    }
    codeSegments = (segment(0x33, 0xAFB), segment(0x23, 0xCFB))
    dataSegment = segment(0x2B, 0xCF3)
    writeStructures()
    setSystemRegisters()
  }

  private func word(_ physical: Int, _ value: UInt64) {
    ram.hostAddress.storeBytes(of: value, toByteOffset: physical, as: UInt64.self)
  }

  private func writeStructures() {
    let (present, writable, user, large, noExecute) = (
      UInt64(1), UInt64(2), UInt64(4), UInt64(0x80), UInt64(1) << 63
    )
    let table = present | writable | user
    word(Layout.pml4, UInt64(Layout.lowDirectoryPointers) | table)
    word(Layout.lowDirectoryPointers, UInt64(Layout.lowDirectory) | table)
    word(Layout.lowDirectory + Int(NATIVE_CODE) >> 21 * 8, UInt64(Layout.codeTable) | table)
    word(Layout.lowDirectory + Int(NATIVE_DATA) >> 21 * 8, UInt64(Layout.dataTable) | table)
    word(Layout.codeTable, UInt64(Layout.code) | present | user)
    for page in 0..<Int(NATIVE_DATA_SIZE) / 4096 {
      let rights = page * 4096 < Int(NATIVE_DATA_WRITABLE) ? writable : 0
      word(
        Layout.dataTable + page * 8, UInt64(Layout.data + page * 4096) | present | user | rights | noExecute)
    }
    word(Layout.pml4 + 511 * 8, UInt64(Layout.highDirectoryPointers) | present | writable)
    word(Layout.highDirectoryPointers + 510 * 8, UInt64(Layout.highDirectory) | present | writable)
    word(Layout.highDirectory, present | writable | large)

    let descriptors: [UInt64] = [
      0, 0, 0x00AF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF, 0x00CF_FB00_0000_FFFF, 0x00CF_F300_0000_FFFF,
      0x00AF_FB00_0000_FFFF, 0,
    ]
    for (index, descriptor) in descriptors.enumerated() { word(Layout.gdt + index * 8, descriptor) }
    for vector in 0..<256 {
      let handler = Layout.kernel + UInt64(Layout.handlers + vector * 16)
      // An interrupt gate; those of INT3 and INTO may be used from user mode.
      let rights: UInt64 = vector == 3 || vector == 4 ? 0xEE : 0x8E
      word(
        Layout.idt + vector * 16,
        handler & 0xFFFF | 0x10 << 16 | rights << 40 | (handler >> 16 & 0xFFFF) << 48)
      word(Layout.idt + vector * 16 + 8, handler >> 32)
      ram.hostAddress.storeBytes(of: 0xF4, toByteOffset: Layout.handlers + vector * 16, as: UInt8.self)
    }
    // RSP0.
    ram.hostAddress.storeBytes(
      of: UInt32(truncatingIfNeeded: Layout.kernel) + UInt32(Layout.stackTop), toByteOffset: Layout.tss + 4,
      as: UInt32.self)
    ram.hostAddress.storeBytes(of: 0xFFFF_FFFF, toByteOffset: Layout.tss + 8, as: UInt32.self)
    // No I/O permission bit map.
    ram.hostAddress.storeBytes(of: 0xFFFF, toByteOffset: Layout.tss + 0x66, as: UInt16.self)
    memset(ram.hostAddress + Layout.code, 0xCC, 4096)
    contents.withUnsafeBytes {
      (ram.hostAddress + Layout.data).copyMemory(from: $0.baseAddress!, byteCount: $0.count)
    }
  }

  private func setSystemRegisters() {
    let cpu = virtualCPU.cpu
    cpu.pointee.cr0 = 0x8005_0033
    cpu.pointee.cr3 = UInt64(Layout.pml4)
    // PAE, PGE, OSFXSR, OSXMMEXCPT.
    cpu.pointee.cr4 = 0x6A0
    cpu.pointee.efer = 0xD01
    (cpu.pointee.gdtBase, cpu.pointee.gdtLimit) = (Layout.kernel + UInt64(Layout.gdt), 0x3F)
    (cpu.pointee.idtBase, cpu.pointee.idtLimit) = (Layout.kernel + UInt64(Layout.idt), 0xFFF)
    cpu.pointee.ldtr = SegmentRegister(selector: 0, attributes: 0, limit: 0, base: 0)
    cpu.pointee.tr = SegmentRegister(
      selector: 0x40, attributes: 0x8B, limit: 0x67, base: Layout.kernel + UInt64(Layout.tss))
    cpu.flushTranslations()
  }

  func run(
    _ cases: UnsafeBufferPointer<native_case>, into outcomes: UnsafeMutableBufferPointer<native_outcome>
  ) {
    for index in cases.indices { run(cases.baseAddress! + index, outcomes.baseAddress! + index) }
  }

  private func run(_ it: UnsafePointer<native_case>, _ outcome: UnsafeMutablePointer<native_outcome>) {
    let is32Bit = it.pointee.is_32_bit != 0
    let start = Int(it.pointee.before.rip & 0xFFF)
    let length = min(Int(it.pointee.code_length), 4096 - start)
    place(it, start..<start + length)
    native_apply_patches(it, (ram.hostAddress + Layout.data).assumingMemoryBound(to: UInt8.self))
    load(it, is32Bit)

    let cpu = virtualCPU.cpu
    cpu.activateSIMD()
    // A block is executed as a whole, so there must be room for one.
    var exit = virtualCPU.runSlice(20_000)
    // PAUSE gives the turn away.
    for _ in 0..<2 where exit == nil && cpu.pointee.cpl == 3 { exit = virtualCPU.runSlice(20_000) }
    cpu.deactivateSIMD()

    let state = UnsafeMutableRawPointer(outcome).assumingMemoryBound(to: native_state.self)
    for register in 0..<16 { state.gpr[register] = cpu.get(UInt8(register * 8)) }
    cpu.storeLegacyFloatingPoint(to: state.fx)
    state.fx.storeBytes(of: cpu.pointee.mxcsr, toByteOffset: FXSAVE.mxcsr, as: UInt32.self)
    (state.fx + FXSAVE.xmm).copyMemory(from: cpu.pointee.xmmRegisters, byteCount: 256)
    finish(outcome, exit: exit, end: UInt64(NATIVE_CODE) + UInt64(start + length))
    native_collect_changes(
      (ram.hostAddress + Layout.data).assumingMemoryBound(to: UInt8.self), contents, outcome)
  }

  /// Puts the code into its page instead of the case before's.
  private func place(_ it: UnsafePointer<native_case>, _ range: Range<Int>) {
    let page = ram.hostAddress + Layout.code
    memset(page + lastCode.lowerBound, 0xCC, lastCode.count)
    machine.codeChanged(pages.code + Layout.code >> 12, offset: 0, count: 4096)
    let code = UnsafeRawPointer(it) + MemoryLayout<native_case>.offset(of: \.code)!
    (page + range.lowerBound).copyMemory(from: code, byteCount: range.count)
    lastCode = range
  }

  private func load(_ it: UnsafePointer<native_case>, _ is32Bit: Bool) {
    let cpu = virtualCPU.cpu
    let before = UnsafeRawPointer(it).assumingMemoryBound(to: native_state.self)
    virtualCPU.resume(activity: .running, pending: CPUState.PendingEvents())
    for register in 0..<16 { cpu.set(UInt8(register * 8), before.gpr[register]) }
    cpu.arithmeticFlags = it.pointee.before.rflags
    cpu.pointee.systemFlags = it.pointee.before.rflags & 0x24_4400 | 0x202
    cpu.pointee.rip = it.pointee.before.rip
    for number in 0..<6 { cpu.pointee.segments[number] = number < 4 ? dataSegment : nullSegment }
    cpu.pointee.segments[1] = is32Bit ? codeSegments.compatibility : codeSegments.long
    cpu.pointee.cpl = 3
    cpu.loadLegacyFloatingPoint(from: before.fx)
    cpu.pointee.mxcsr = before.fx.load(fromByteOffset: FXSAVE.mxcsr, as: UInt32.self) & 0xFFFF
    cpu.pointee.xmmRegisters.copyMemory(from: before.fx + FXSAVE.xmm, byteCount: 256)
    cpu.updateChecks()
    cpu.updateMode()
  }

  /// Tells where the case ended, by the handler that halted and by the frame on its stack.
  private func finish(_ outcome: UnsafeMutablePointer<native_outcome>, exit: VirtualCPUExit?, end: UInt64) {
    let cpu = virtualCPU.cpu
    outcome.pointee.error_code = 0
    outcome.pointee.cr2 = 0
    outcome.pointee.vector = 0
    guard exit == nil else {
      outcome.pointee.end = UInt32(NATIVE_CRASHED)
      return
    }
    let handler = cpu.pointee.rip &- 1 &- Layout.kernel &- UInt64(Layout.handlers)
    guard cpu.pointee.cpl == 0, handler < 4096, handler & 15 == 0 else {
      outcome.pointee.end = UInt32(NATIVE_HUNG)
      outcome.pointee.after.rip = cpu.pointee.rip
      outcome.pointee.after.rflags = cpu.rflags
      return
    }
    let vector = UInt32(handler >> 4)
    func frame(_ offset: Int) -> UInt64 {
      ram.hostAddress.load(fromByteOffset: Layout.stackTop - offset, as: UInt64.self)
    }
    outcome.pointee.after.rip = frame(40)
    outcome.pointee.after.rflags = frame(24)
    UnsafeMutableRawPointer(outcome).assumingMemoryBound(to: native_state.self).gpr[4] = frame(16)
    if vector == 3, frame(40) == end &+ 1 {
      outcome.pointee.end = UInt32(NATIVE_ENDED)
      outcome.pointee.after.rip = end
      return
    }
    outcome.pointee.end = UInt32(NATIVE_FAULTED)
    outcome.pointee.vector = vector
    if [8, 10, 11, 12, 13, 14, 17].contains(vector) { outcome.pointee.error_code = frame(48) & 0xFFFF_FFFF }
    if vector == 14 { outcome.pointee.cr2 = cpu.pointee.cr2 }
  }
}

/// No interrupts.
final class NoLocalAPIC: LocalInterruptController {
  var processor: (any InterruptibleProcessor)?
  var registerPage: UInt64? { nil }
  var isEnabled: Bool { false }
  var taskPriority: UInt8 = 0
  var savedRegisters: [UInt32] { Array(repeating: 0, count: 64) }
  func acknowledge() -> UInt8? { nil }
  func readRegister(_ offset: Int) -> UInt32 { 0 }
  func writeRegister(_ offset: Int, _ value: UInt32) {}
  func readMSR(_ number: UInt32) -> UInt64? { 0 }
  func writeMSR(_ number: UInt32, _ value: UInt64) -> Bool { true }
  func timeStampChanged() {}
  func restore(registers: [UInt32], base: UInt64, deadline: UInt64) {}
  func reset() {}
}
