// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU
import GuestMemory

/// Runs the guest by executing its instructions itself: no help of the host's processor or kernel is needed.
///
/// The interrupt controllers and timers are the board's own (``InterruptPlatform``).
public final class SoftEngine: PlatformEngine {
  public var name: String { "soft" }
  /// Features asked for that this engine does not implement, a sentence each.
  public private(set) var warnings: [String]
  public private(set) var processor = ProcessorIdentity()
  private let machine: SoftMachine
  private let scheduler = SoftScheduler()
  public let platform: any InterruptPlatform
  private let topology: CPUTopology
  private let request: CPUModelRequest
  private let clock: Clock
  private var virtualCPUs: [Int: SoftVirtualCPU] = [:]

  /// An engine that follows `bus.memory`.
  /// - Parameter clock: guest time, from which the time stamp counter comes: a tick is a nanosecond. An
  ///   ``InstructionClock`` is moved by this engine.
  public init(
    bus: SystemBus, topology: CPUTopology, cpu: CPUModelRequest, platform: any InterruptPlatform, clock: Clock
  ) throws(EngineError) {
    self.topology = topology
    self.platform = platform
    self.clock = clock
    request = cpu
    let cpuid = try SoftCPUID(cpu, topology: topology, index: 0)
    warnings = cpuid.warnings
    processor.signature = cpuid.signature
    processor.features = cpuid.features[.leaf1EDX]
    processor.brand = cpuid.brand
    guard topology.apicID(of: topology.count - 1) < 255 else {
      throw EngineError(
        "\(topology.count) virtual CPUs in this arrangement need local APIC IDs above 254, which a PC of this kind "
          + "cannot address; use fewer CPUs, or numbers of cores and threads that are powers of two")
    }
    machine = SoftMachine(bus: bus)
    if let clock = clock as? InstructionClock {
      scheduler.follow(clock, machine: machine)
      clock.onDeadlineChange = { [unowned machine] in
        for owner in machine.owners { owner.raise(Attention.deadline) }
      }
    }
    bus.memory.addListener(machine)
  }

  public func makeVirtualCPU(index: Int) throws(EngineError) -> any VirtualCPU {
    guard index >= 0, index < topology.count, virtualCPUs[index] == nil else {
      throw EngineError("there is no virtual CPU \(index) to make")
    }
    let cpu = SoftVirtualCPU(
      index: index, cpuid: try SoftCPUID(request, topology: topology, index: index),
      localAPIC: platform.localInterruptController(index), machine: machine, clock: clock,
      scheduler: scheduler)
    virtualCPUs[index] = cpu
    machine.owners.append(cpu)
    scheduler.add(cpu)
    cpu.raise(Attention.memory)
    return cpu
  }

  /// For a run that can be repeated: called with the machine's lock held after each access to a device, to
  /// wait for what it has begun on the host (disk requests), so that it ends at the same instruction each time.
  public func settleDevices(by body: @escaping () -> Void) { machine.settle = body }

  public var traceCategories: [TraceCategory] { [machine.interruptTrace] }
  public var memoryMapListener: any MemoryMapListener { machine }
}
