// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU
import Chipset
import EventLoop
import Foundation
import GuestMemory
import KVM
import SoftCPU

/// What executes a guest in a test.
enum GuestEngine: String, CaseIterable, CustomStringConvertible, Sendable {
  case kvm
  case soft

  var description: String { rawValue }

  /// The engines that can be used here.
  static let there: [GuestEngine] =
    GuestImage.assembler == nil ? [] : KVMAvailability.isThere ? [.kvm, .soft] : [.soft]
  /// Those that do what processors do where a kernel that interprets does not.
  static let precise: [GuestEngine] = KVMAvailability.hasHardware ? there : there.filter { $0 == .soft }
}

/// Whether tests can run guests on KVM here.
enum KVMAvailability {
  static let isThere = access("/dev/kvm", R_OK | W_OK) == 0 && GuestImage.assembler != nil
  /// Whether there is hardware behind it. Without, the kernel interprets guests, which does not follow the manuals in
  /// everything: faults in the delivery of faults, rings and SMAP.
  static let hasHardware: Bool = {
    guard isThere, let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8),
      let flags = text.split(separator: "\n").first(where: { $0.hasPrefix("flags") })
    else { return false }
    return flags.split(separator: " ").contains { $0 == "vmx" || $0 == "svm" }
  }()
  static let need = "needs read and write access to /dev/kvm, and nasm"
}

/// A guest that did not get where it should: its registers.
struct GuestStandsStill: Error, CustomStringConvertible {
  let description: String
}

/// A board for bare-metal guests: RAM, the guest's ROM, ports and registers that note what is done to them,
/// and threads that run the virtual CPUs.
final class GuestBoard: @unchecked Sendable {
  // Unchecked: what CPU threads and the test share is used with `lock` held, or while the CPUs are stopped.
  let lock = MachineLock()
  let bus: SystemBus
  let ram: RAMBlock
  let rom: RAMBlock
  let romRegion: MemoryRegion
  let notes = NoteWindow(name: "notes", count: 8)
  let registers = NoteWindow(name: "registers", count: 0x4000)
  let queued = NoteWindow(name: "queued", count: 0x4000, lateWrites: [0..<0x4000])
  let engine: any Engine
  /// The engine, if it is KVM.
  let kvm: KVMEngine?
  /// What an engine without timers of its own needs.
  private var clock: HostClock?
  private var loop: EventLoop?
  private(set) var cpus: [any VirtualCPU] = []
  private var threads: [CPUThread] = []
  private let verdictWindow: VerdictWindow

  /// A board with the guest `name` in its ROM.
  init(
    _ name: String, on kind: GuestEngine = .kvm, ramByteCount: Int = 1 << 20,
    topology: CPUTopology = CPUTopology(),
    cpu: CPUModelRequest = CPUModelRequest(), options: KVMEngine.Options = .init()
  ) throws {
    bus = SystemBus(lock: lock)
    ram = try RAMBlock(name: "ram", byteCount: ramByteCount)
    rom = try RAMBlock(name: "rom", byteCount: 0x10000)
    rom.allBytes.copyBytes(from: try GuestImage.assemble(name))
    verdictWindow = VerdictWindow()
    let memory = bus.memory
    memory.add(
      MemoryRegion(
        name: "ram", base: GuestAddress(UInt64(0)), count: UInt64(ramByteCount), backing: .ram(ram, offset: 0)
      ))
    romRegion = MemoryRegion(
      name: "rom", base: GuestAddress(UInt64(0xF0000)), count: 0x10000, backing: .rom(rom, offset: 0),
      priority: 1)
    memory.add(romRegion)
    memory.add(
      MemoryRegion(
        name: "reset", base: GuestAddress(UInt64(0xFFFF_0000)), count: 0x10000, backing: .rom(rom, offset: 0))
    )
    memory.add(MemoryRegion(window: registers, base: GuestAddress(UInt64(0xD0000)), priority: 1))
    memory.add(MemoryRegion(window: queued, base: GuestAddress(UInt64(0xD4000)), priority: 1))
    memory.add(MemoryRegion(window: registers, base: GuestAddress(UInt64(0xA0000)), priority: 1))
    bus.ports.map(notes, at: 0x500)
    // Where the guests that measure exits read.
    bus.ports.map(notes, at: 0x92)
    bus.ports.map(verdictWindow, at: 0x510)
    switch kind {
    case .kvm:
      let kvm = try KVMEngine(bus: bus, topology: topology, cpu: cpu, options: options)
      (engine, self.kvm) = (kvm, kvm)
    case .soft:
      let loop = try EventLoop(lock: lock)
      let clock = HostClock(loop: loop)
      let platform = PCInterruptPlatform(
        clock: clock, apicIDs: (0..<topology.count).map { topology.apicID(of: $0) })
      engine = try SoftEngine(bus: bus, topology: topology, cpu: cpu, platform: platform, clock: clock)
      kvm = nil
      (self.clock, self.loop) = (clock, loop)
      platform.map(ports: bus.ports, memory: bus.memory)
      Thread.detachNewThread { loop.run() }
    }
    for index in 0..<topology.count { cpus.append(try engine.makeVirtualCPU(index: index)) }
    verdictWindow.onVerdict = { [unowned self] in
      for thread in threads { thread.requestStop() }
    }
  }

  deinit { loop?.stop() }

  /// What the guest ended with.
  var verdict: UInt8? { verdictWindow.verdict }

  /// Makes the guest's end of no account, before it is started again.
  func forgetVerdict() { verdictWindow.verdict = nil }

  /// Lets all CPUs run.
  func resume() throws {
    try lock.withLock {
      clock?.start()
      try engine.clockStarted()
    }
    threads = cpus.map(CPUThread.init)
    for thread in threads { thread.start() }
  }

  /// Stops all CPUs and waits until they are out of the guest.
  func pause() {
    for thread in threads { thread.requestStop() }
    for thread in threads { thread.join() }
    lock.withLock {
      clock?.stop()
      engine.clockStopped()
    }
  }

  /// Runs until the guest ends or a CPU comes back with more than `.interrupted`.
  /// - Returns: what the first CPU came back with.
  @discardableResult
  func run() throws -> VirtualCPUExit {
    try resume()
    try wait { [self] in verdict != nil || threads.contains { $0.exit != nil } }
    pause()
    return threads.compactMap(\.exit).first ?? .interrupted
  }

  /// The number of CPUs that came back with more than `.interrupted`.
  var exits: [VirtualCPUExit] { threads.compactMap(\.exit) }

  /// Waits, with nothing held, until `condition`, asked with the lock held, is met.
  func wait(until condition: @escaping () -> Bool) throws {
    let deadline = Date().addingTimeInterval(20)
    while !lock.withLock(condition) {
      guard Date() < deadline else {
        pause()
        let registers = cpus.map { (try? $0.registers().registerText) ?? "" }.joined(separator: "\n")
        throw GuestStandsStill(description: "the guest did not get there in 20 s:\n\(registers)")
      }
      usleep(500)
    }
  }

  func byte(_ address: Int) -> UInt8 { ram.allBytes[address] }
  func word(_ address: Int) -> UInt16 { ram.allBytes.loadUnaligned(fromByteOffset: address, as: UInt16.self) }
  func dword(_ address: Int) -> UInt32 {
    ram.allBytes.loadUnaligned(fromByteOffset: address, as: UInt32.self)
  }
  func qword(_ address: Int) -> UInt64 {
    ram.allBytes.loadUnaligned(fromByteOffset: address, as: UInt64.self)
  }
}

/// Notes what is written, and reads as a counter in every byte.
final class NoteWindow: AddressWindow {
  struct Note: Equatable, CustomStringConvertible {
    let offset: UInt64
    let value: UInt64
    let width: Int
    init(_ offset: UInt64, _ value: UInt64, _ width: Int) {
      (self.offset, self.value, self.width) = (offset, value, width)
    }
    var description: String { "\(hex(offset)): \(hex(value)) (\(width))" }
  }
  private(set) var written: [Note] = []
  private(set) var readCount: UInt64 = 0
  private(set) var readWidths: [Int] = []
  /// Whether accesses are kept; else they are only counted.
  var keepsNotes = true

  /// Called at each write.
  var onWrite: () -> Void = {}
  private var stopCount: UInt64 = 0
  private var stoppedCPU: (any VirtualCPU)?

  /// Kicks a CPU at a read.
  func stop(after count: UInt64, _ cpu: any VirtualCPU) { (stopCount, stoppedCPU) = (count, cpu) }

  init(name: String, count: UInt64, lateWrites: [Range<UInt64>] = []) {
    super.init(
      name: name, count: count, narrowest: .byte, widest: .qword, lateWrites: lateWrites)
  }

  override func read(_ offset: UInt64, _ width: AccessWidth) -> UInt64 {
    readCount &+= 1
    if readCount == stopCount { stoppedCPU?.kick() }
    if keepsNotes { readWidths.append(width.count) }
    return readCount & 0xFF &* 0x0101_0101_0101_0101
  }

  override func write(_ offset: UInt64, _ value: UInt64, _ width: AccessWidth) {
    onWrite()
    if keepsNotes { written.append(Note(offset, value, width.count)) }
  }

  var values: [UInt64] { written.map(\.value) }
}

/// The port that ends a guest.
final class VerdictWindow: AddressWindow {
  var verdict: UInt8?
  var onVerdict: () -> Void = {}

  init() { super.init(name: "verdict", count: 1) }
  override func write(_ offset: UInt64, _ value: UInt64, _ width: AccessWidth) {
    verdict = UInt8(truncatingIfNeeded: value)
    onVerdict()
  }
}

/// The host thread of one CPU, from one resume to the next pause.
final class CPUThread: @unchecked Sendable {
  // Unchecked: guarded by `mutex`, a lock of Foundation's.
  private let cpu: any VirtualCPU
  private let mutex = NSCondition()
  private var mayRun = true
  private var hasEnded = false
  private var lastExit: VirtualCPUExit?

  init(_ cpu: any VirtualCPU) { self.cpu = cpu }

  /// Anything but `.interrupted` the CPU came back with.
  var exit: VirtualCPUExit? { mutex.withLock { lastExit } }

  func start() {
    Thread.detachNewThread { [self] in
      while mutex.withLock({ mayRun }) {
        let exit = cpu.run()
        if case .interrupted = exit { continue }
        mutex.withLock {
          lastExit = exit
          mayRun = false
        }
      }
      mutex.withLock {
        hasEnded = true
        mutex.broadcast()
      }
    }
  }

  func requestStop() {
    mutex.withLock { mayRun = false }
    cpu.kick()
  }

  func join() {
    mutex.withLock { while !hasEnded { mutex.wait() } }
  }
}
