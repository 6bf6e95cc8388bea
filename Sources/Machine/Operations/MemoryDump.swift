// SPDX-License-Identifier: GPL-2.0-or-later

import CPU
import Chipset
import GuestMemory

/// A file with all of the guest's RAM and its CPUs' registers, for `gdb`, `crash` and `drgn`: an ELF core as Linux
/// writes them (ELF-64, machine x86-64; System V ABI, chapter 5; struct elf_prstatus of <sys/procfs.h>).
struct MemoryDump {
  private struct Segment {
    let physical: UInt64
    let byteCount: UInt64
  }

  private let cpus: [CPUState]
  private let segments: [Segment]

  init(cpus: [CPUState], memoryByteCount: UInt64) {
    self.cpus = cpus
    let layout = GuestMemoryLayout(byteCount: memoryByteCount)
    var segments = [Segment(physical: 0, byteCount: layout.below4GiB)]
    if layout.above4GiB > 0 { segments.append(Segment(physical: 1 << 32, byteCount: layout.above4GiB)) }
    self.segments = segments
  }

  private static let headerByteCount = 64
  private static let programHeaderByteCount = 56
  private static let pageMask: UInt64 = 4095

  /// Everything before the memory: ELF header, program headers, notes, and zeroes up to a page boundary.
  private var head: [UInt8] {
    let notes = cpus.enumerated().flatMap { Self.status(of: $1, number: $0) }
    let noteOffset = Self.headerByteCount + Self.programHeaderByteCount * (segments.count + 1)
    let dataOffset = (UInt64(noteOffset + notes.count) + Self.pageMask) & ~Self.pageMask
    var bytes = LittleEndianBytes()
    // e_ident: ELF, 64 bits, little-endian, version 1, System V.
    bytes.append([0x7F, 0x45, 0x4C, 0x46, 2, 1, 1, 0] + [UInt8](repeating: 0, count: 8))
    // ET_CORE, EM_X86_64, version, entry, program headers, section headers, flags, sizes.
    bytes.append(
      UInt16(4), UInt16(62), UInt32(1), UInt64(0), UInt64(Self.headerByteCount), UInt64(0), UInt32(0))
    bytes.append(
      UInt16(Self.headerByteCount), UInt16(Self.programHeaderByteCount), UInt16(segments.count + 1),
      UInt16(0),
      UInt16(0), UInt16(0))
    // PT_NOTE: flags, offset, addresses, sizes, alignment.
    bytes.append(
      UInt32(4), UInt32(0), UInt64(noteOffset), UInt64(0), UInt64(0), UInt64(notes.count),
      UInt64(notes.count),
      UInt64(0))
    var offset = dataOffset
    for segment in segments {
      // PT_LOAD.
      bytes.append(
        UInt32(1), UInt32(0), offset, UInt64(0), segment.physical, segment.byteCount, segment.byteCount,
        UInt64(0))
      offset += segment.byteCount
    }
    bytes.append(notes)
    bytes.append([UInt8](repeating: 0, count: Int(dataOffset) - bytes.bytes.count))
    return bytes.bytes
  }

  /// The note NT_PRSTATUS of one CPU.
  private static func status(of cpu: CPUState, number: Int) -> [UInt8] {
    var status = LittleEndianBytes()
    // The signal and process data before pr_pid, pr_pid itself, and what is before pr_reg.
    status.append([UInt8](repeating: 0, count: 32))
    status.append(UInt32(number + 1))
    status.append([UInt8](repeating: 0, count: 112 - status.bytes.count))
    let general = cpu.general
    func register(_ index: Int) -> UInt64 { general.indices.contains(index) ? general[index] : 0 }
    func selector(_ index: Int) -> UInt64 {
      cpu.segments.indices.contains(index) ? UInt64(cpu.segments[index].selector) : 0
    }
    func base(_ index: Int) -> UInt64 { cpu.segments.indices.contains(index) ? cpu.segments[index].base : 0 }
    // struct user_regs_struct: r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax …
    for index in [15, 14, 13, 12, 5, 3, 11, 10, 9, 8, 0, 1, 2, 6, 7] { status.append(register(index)) }
    status.append(UInt64.max, cpu.rip, selector(1), cpu.rflags, register(4), selector(2))
    status.append(base(4), base(5), selector(3), selector(0), selector(4), selector(5))
    // pr_fpvalid and the padding behind it.
    status.append(UInt64(0))
    var note = LittleEndianBytes()
    note.append(UInt32(5), UInt32(status.bytes.count), UInt32(1))
    note.append(Array("CORE".utf8) + [0, 0, 0, 0])
    note.append(status.bytes)
    return note.bytes
  }

  /// Writes the file.
  func write(to file: OutputFile, memory: GuestMemory) throws(MachineError) {
    let head = head
    try Self.write(head, to: file)
    let zeroes = [UInt8](repeating: 0, count: 4096)
    for segment in segments {
      var position = segment.physical
      let end = segment.physical + segment.byteCount
      while position < end {
        let count = Int(min(1 << 20, end - position))
        // As long as the bytes lie together on the host they are written from where they are.
        if let bytes = memory.hostBytes(at: GuestAddress(position), count: count, for: .read), !bytes.isEmpty
        {
          try file.write(UnsafeRawBufferPointer(bytes))
          position += UInt64(bytes.count)
        } else {
          let piece = min(4096, count)
          try Self.write(Array(zeroes[..<piece]), to: file)
          position += UInt64(piece)
        }
      }
    }
  }

  private static func write(_ bytes: [UInt8], to file: OutputFile) throws(MachineError) {
    let result = bytes.withUnsafeBytes { bytes -> Result<Void, MachineError> in
      do throws(MachineError) { return .success(try file.write(bytes)) } catch { return .failure(error) }
    }
    try result.get()
  }
}

/// Bytes put together from integers.
private struct LittleEndianBytes {
  private(set) var bytes: [UInt8] = []

  mutating func append(_ new: [UInt8]) { bytes += new }

  mutating func append<each Value: FixedWidthInteger>(_ values: repeat each Value) {
    for value in repeat each values {
      withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
  }
}

extension Machine {
  /// Writes the guest's memory and registers to a file, with the guest stopped for as long as that takes. Called on the
  /// event loop with the machine's lock held.
  public func dumpMemory(to path: String) throws(MachineError) {
    let file = try OutputFile(path: path)
    parkCPUs()
    defer { if state == .running { letCPUsGoOn() } }
    var states: [CPUState] = []
    for index in cpuThreads.indices {
      do throws(EngineError) { states.append(try cpuThreads[index].cpu.registers()) } catch {
        throw MachineError(error)
      }
    }
    let dump = MemoryDump(cpus: states, memoryByteCount: configuration.memoryByteCount)
    try dump.write(to: file, memory: board.memory.memory)
    file.finish()
  }
}
