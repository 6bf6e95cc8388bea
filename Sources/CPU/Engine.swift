// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory

/// What executes the guest: KVM, or an engine of our own.
///
/// An engine is made for one machine, told of its memory map (it is a ``MemoryMapListener``), and makes the
/// virtual CPUs. Interrupt lines of the board end in ``interruptController``.
public protocol Engine: AnyObject {
  /// "kvm".
  var name: String { get }
  /// The categories it traces under; none by default.
  var traceCategories: [TraceCategory] { get }
  /// The global system interrupts: 0 … 15 reach both the 8259 pair and the IOAPIC, 16 … 23 the IOAPIC.
  var interruptController: any InterruptSink { get }
  /// Who follows the memory map.
  var memoryMapListener: any MemoryMapListener { get }
  /// Makes the virtual CPU with the given index (also its APIC ID's origin), stopped, in its reset state.
  /// Index 0 is the bootstrap processor.
  func makeVirtualCPU(index: Int) throws(EngineError) -> any VirtualCPU
  /// The machine is complete, and its memory map as the guest will find it: the engine may begin what takes it long
  /// before the guest can run.
  func prepare()
  /// Brings the interrupt controllers and timers that live in the engine to their reset state. All virtual
  /// CPUs are stopped.
  func resetPlatform() throws(EngineError)
  /// The state of the interrupt controllers and timers that live in the engine, with all CPUs stopped.
  func savePlatform() throws(EngineError) -> PlatformState
  /// Takes over a state of ``savePlatform()``, after the virtual CPUs' registers are set: an interrupt that it has yet to
  /// deliver goes to their local APICs. Devices follow, whose lines change nothing if they are as they were.
  func restorePlatform(_ state: PlatformState) throws(EngineError)
  /// Guest time starts to go on (paravirtual clocks, timers in the engine).
  func clockStarted() throws(EngineError)
  /// Guest time stands still from now on.
  func clockStopped()
  /// What port 0x61 needs of the engine's 8254.
  var speakerGate: any SpeakerGate { get }
  /// Whether it queues writes to windows that allow it.
  var queuesWrites: Bool { get }
  /// Delivers the writes that the engine has queued for windows that allow it. With the machine's lock held.
  func drainCoalescedWrites()
  /// A message-signalled interrupt: `data` written to `address` (0xFEExxxxx).
  func sendMessage(address: UInt64, data: UInt32)
  /// What the guest's first processor is, for the firmware's tables.
  var processor: ProcessorIdentity { get }
}

extension Engine {
  public var processor: ProcessorIdentity { ProcessorIdentity() }
  public var traceCategories: [TraceCategory] { [] }
  public func prepare() {}
}

/// A processor as CPUID tells it.
public struct ProcessorIdentity: Equatable, Sendable {
  /// Family, model and stepping: leaf 1 EAX.
  public var signature: UInt32 = 0
  /// The features in leaf 1 EDX.
  public var features: UInt32 = 0
  /// The brand string of leaves 0x80000002 … 4; empty if there is none.
  public var brand = ""
  /// An unknown processor.
  public init() {}
}

/// One virtual CPU. It runs on one host thread; ``kick()`` may be called from any, the rest on that thread or
/// while it is stopped.
public protocol VirtualCPU: AnyObject, Sendable {
  /// 0 is the bootstrap processor.
  var index: Int { get }
  /// Runs the guest, with the lock not held, until there is something the machine must decide. Port and
  /// memory accesses are done on the way, with the bus's lock held.
  func run() -> VirtualCPUExit
  /// Makes a present or the next ``run()`` return `.interrupted` as soon as the guest's instruction ends.
  func kick()
  /// All registers, for people, monitors and saved states.
  func registers() throws(EngineError) -> CPUState
  /// Replaces all registers.
  func setRegisters(_ state: CPUState) throws(EngineError)
  /// Brings the CPU to its state after RESET#: the bootstrap processor starts at 0xFFFFFFF0, the others wait
  /// for an INIT and a start-up IPI.
  func reset() throws(EngineError)
  /// Delivers a non-maskable interrupt.
  func injectNMI() throws(EngineError)
}

/// Why a virtual CPU came back.
public enum VirtualCPUExit: Sendable {
  /// It was kicked.
  case interrupted
  /// It executed HLT with no interrupt controller in the engine to wait for.
  case halted
  /// It shut down: a triple fault.
  case shutdown
  /// The engine's own power event: the guest asked for a reset or a power-off.
  case systemReset
  case systemShutdown
  /// It cannot go on: what happened, with registers and the bytes at the instruction pointer.
  case failed(EngineFailure)
}

/// A guest that the engine cannot run any further, told for people.
public struct EngineFailure: Error, Sendable, CustomStringConvertible {
  /// A sentence: what happened and what it means.
  public let reason: String
  /// The registers, one line each, as monitors print them.
  public let registers: String
  /// The bytes at the instruction pointer.
  public let code: [UInt8]
  /// A failure.
  public init(reason: String, registers: String, code: [UInt8]) {
    self.reason = reason
    self.registers = registers
    self.code = code
  }
  /// The sentence, the registers and the code bytes.
  public var description: String {
    let digits = code.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
    return "\(reason)\n\(registers)\ncode at rip: \(digits)"
  }
}

/// An engine that cannot be used, or an operation it refused.
public struct EngineError: Error, Sendable, CustomStringConvertible {
  /// What happened and what to do about it.
  public let description: String
  /// An error with that message.
  public init(_ description: String) { self.description = description }

  /// A platform's state that is not one.
  public static let damagedPlatform = EngineError(
    "the saved state of the interrupt controllers is damaged: it lacks registers")
}
